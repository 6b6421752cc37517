"""What the objects of an export are: who wrote which message, in which channel, ticket or page.

Each shape is taken from what its vendor, or the author of the tool that writes it, documents:

- slack: https://slack.com/help/articles/220556107 and https://api.slack.com/events/message
- discord: DiscordChatExporter's JSON (https://github.com/Tyrrrz/DiscordChatExporter); discord_package: the archive of
  https://support.discord.com/hc/en-us/articles/360004957991
- teams: chatMessage of https://learn.microsoft.com/graph/api/resources/chatmessage; skype: the `messages.json` that Skype and
  personal Teams accounts export (https://go.skype.com/export.chat.history)
- jira: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/
- confluence: https://developer.atlassian.com/cloud/confluence/rest/v1/api-group-content/
- zendesk: https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/ and .../ticket_comments/, written by the
  JSON export of https://support.zendesk.com/hc/en-us/articles/4408886165402
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from leakguard.sources.unpack._written import Facts, fact

Names = Mapping[str, str]
"""Who is who: an id and the name to show for it."""


class Shape(NamedTuple):
    """How one export is read."""

    facts: Callable[[dict[str, Any], Names], Facts]
    """What an object says of itself and all that it holds; nothing for what is no message, ticket or page."""
    spread: tuple[str, ...]
    """Members of the top-level object that may be big."""
    bodies: tuple[str, ...]
    """Keys of what people wrote, the best form first: what a later one says again is not told twice."""
    escaped: bool = False
    """`&`, `<` and `>` are written as entities."""


def shape_of(name: str) -> Shape:
    """Return a shape by the name that `_texts.EXPORTS` gives it."""
    return _SHAPES[name]


def get(value: Any, *keys: str) -> Any:
    """Return what lies in objects within objects, None where something is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def first(*values: Any) -> str:
    """Return the first that is a text with something in it."""
    return next((value for value in values if isinstance(value, str) and value), "")


def _slack(value: dict[str, Any], names: Names) -> Facts:
    if not isinstance(value.get("ts"), str) or not (value.keys() & {"user", "text", "bot_id", "username"}):
        return ()
    profile = value.get("user_profile")
    user = first(value.get("user"), value.get("bot_id"))
    name = first(get(profile, "real_name"), get(profile, "display_name"), names.get(user), value.get("username"), user)
    return (*fact("author", name), *fact("message", value["ts"]))


def _discord(value: dict[str, Any], _names: Names) -> Facts:
    if isinstance(value.get("guild"), dict) and isinstance(value.get("channel"), dict):
        return (*fact("server", get(value, "guild", "name")), *fact("channel", get(value, "channel", "name")))
    if isinstance(value.get("author"), dict) and "content" in value:
        return (*fact("author", first(get(value, "author", "name"), get(value, "author", "id"))), *fact("message", value.get("id")))
    return ()


def _discord_package(value: dict[str, Any], _names: Names) -> Facts:
    return fact("message", value.get("ID")) if "Contents" in value else ()


def _teams(value: dict[str, Any], _names: Names) -> Facts:
    if "messageType" not in value or "body" not in value:
        return ()
    sender = value.get("from")
    name = next((n for who in ("user", "application", "device") if (n := get(sender, who, "displayName"))), "")
    channel = first(get(value, "channelIdentity", "channelId"), value.get("chatId"))
    return (*fact("channel", channel), *fact("author", name), *fact("message", value.get("id")))


def _skype(value: dict[str, Any], _names: Names) -> Facts:
    if isinstance(value.get("MessageList"), list):
        return fact("channel", first(value.get("displayName"), value.get("id")))
    if "messagetype" in value and "content" in value:
        return (*fact("author", first(value.get("displayName"), value.get("from"))), *fact("message", value.get("id")))
    return ()


def _jira(value: dict[str, Any], _names: Names) -> Facts:
    fields = value.get("fields")
    if isinstance(fields, dict) and isinstance(value.get("key"), str):
        author = fields.get("creator") or fields.get("reporter")
        return (*fact("ticket", value["key"]), *fact("author", _person(author)))
    if isinstance(value.get("author"), dict) and "body" in value:
        return (*fact("author", _person(value["author"])), *fact("comment", value.get("id")))
    return ()


def _confluence(value: dict[str, Any], _names: Names) -> Facts:
    kind = value.get("type")
    if "title" not in value or not ("body" in value or kind in {"page", "blogpost", "comment"}):
        return ()
    author = get(value, "version", "by") or get(value, "history", "createdBy")
    space = first(get(value, "space", "key"), value.get("spaceId"))
    name = "comment" if kind == "comment" else "page"
    return (
        *fact("space", space),
        *fact(name, value["title"]),
        *fact(f"{name} id", value.get("id")),
        *fact("author", _person(author)),
    )


def _zendesk(value: dict[str, Any], names: Names) -> Facts:
    if "requester_id" in value and (value.keys() & {"subject", "raw_subject", "description"}):
        requester = str(value["requester_id"])
        return (*fact("ticket", value.get("id")), *fact("author", names.get(requester, requester)))
    if "author_id" in value and (value.keys() & {"body", "html_body", "plain_body"}):
        author = str(value["author_id"])
        return (*fact("author", names.get(author, author)), *fact("comment", value.get("id")))
    return ()


def _person(value: Any) -> str:
    return first(*(get(value, key) for key in ("displayName", "publicName", "name", "emailAddress", "accountId")))


_SHAPES = {
    "slack": Shape(_slack, ("messages",), ("text", "fallback"), escaped=True),
    "discord": Shape(_discord, ("messages",), ("content",)),
    "discord_package": Shape(_discord_package, (), ("Contents",)),
    "teams": Shape(_teams, ("value",), ("content",)),
    "skype": Shape(_skype, ("conversations",), ("content",), escaped=True),
    "jira": Shape(_jira, ("issues",), ("description", "body", "text", "summary")),
    "confluence": Shape(_confluence, ("results",), ("value", "title")),
    "zendesk": Shape(_zendesk, ("tickets", "comments", "results"), ("plain_body", "body", "description", "html_body", "subject")),
}


def people(value: Any) -> dict[str, str]:
    """Return who is who of a list of users with ids, as Slack exports it."""
    users = [user for user in value if isinstance(user, dict)] if isinstance(value, list) else []
    return {user["id"]: first(user.get("real_name"), user.get("name")) for user in users if isinstance(user.get("id"), str)}
