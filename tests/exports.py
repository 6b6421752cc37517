"""Exports of chats and tickets with a text of ours inside, as their vendors and tools write them."""

from __future__ import annotations

import json
from collections.abc import Callable

from documents import Facts, Value, zipped


def slack(value: Value, *, indent: int | None = 4) -> str:
    """Return one day of a channel; the text stands in `text` and again in `blocks`."""
    said = f"it is <{value}> & more"
    text = said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    element = {"type": "rich_text_section", "elements": [{"type": "text", "text": said}]}
    blocks = [{"type": "rich_text", "block_id": "x1", "elements": [element]}]
    messages = [
        {"type": "message", "user": "U0001", "text": "hello", "ts": "1704153600.000100"},
        {"type": "message", "user": "U0002", "ts": "1704153600.000200", "blocks": blocks, "text": text},
    ]
    return json.dumps(messages, indent=indent)


def slack_zip(value: Value) -> bytes:
    """Return Slack's export."""
    users = [{"id": "U0001", "name": "ada"}, {"id": "U0002", "name": "bob", "real_name": "Bob B"}]
    channels = [{"id": "C1", "name": "ops", "created": 1}]
    days = ("ops/2024-01-02.json", slack(value))
    return zipped(("channels.json", json.dumps(channels)), ("users.json", json.dumps(users)), days)


def discord(value: Value) -> str:
    """Return an export of DiscordChatExporter."""
    authors = [
        {"id": "9", "name": "ada", "nickname": "A", "isBot": False},
        {"id": "8", "name": "bob", "nickname": "B", "isBot": False},
    ]
    messages = [
        {
            "id": str(70 + n),
            "type": "Default",
            "timestamp": "2024",
            "content": text,
            "author": author,
            "attachments": [],
            "embeds": [],
        }
        for n, (author, text) in enumerate(zip(authors, ("hello", f"it is\n{value}"), strict=True))
    ]
    guild, channel = (
        {"id": "1", "name": "Acme"},
        {"id": "2", "type": "GuildTextChat", "category": "x", "name": "ops", "topic": None},
    )
    return json.dumps({"guild": guild, "channel": channel, "dateRange": {}, "messages": messages, "messageCount": 2}, indent=2)


def discord_package(value: Value) -> str:
    """Return the messages of one channel in the archive that Discord itself gives."""
    return json.dumps([{"ID": 12, "Timestamp": "2024", "Contents": f"use {value}", "Attachments": ""}])


def teams(value: Value) -> str:
    """Return messages as Microsoft Graph lists them."""
    message = {
        "id": "1616990032035",
        "messageType": "message",
        "createdDateTime": "2024-01-02T00:00:00Z",
        "from": {"user": {"id": "x", "displayName": "Ada L"}},
        "body": {"contentType": "html", "content": f"<div>use <b>{value[:9]}</b>{value[9:]}</div>"},
        "channelIdentity": {"teamId": "t", "channelId": "19:ops@thread.tacv2"},
        "attachments": [],
    }
    return json.dumps({"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#x", "value": [message]}, indent=1)


def skype(value: Value) -> str:
    """Return an export of Skype or personal Teams."""
    message = {
        "id": "17",
        "displayName": None,
        "originalarrivaltime": "2024",
        "messagetype": "RichText",
        "content": f"use &quot;{value}&quot;",
        "from": "live:ada",
    }
    conversation = {"id": "19:x", "displayName": "Ops", "MessageList": [message]}
    return json.dumps({"userId": "8:a", "exportDate": "2024", "conversations": [conversation]})


def jira(value: Value) -> str:
    """Return the answer to a search for issues, a comment in Atlassian's document format."""
    body = {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [{"type": "text", "text": f"use {value}"}]}]}
    comments = [{"id": "100", "author": {"displayName": "Dora"}, "body": body}]
    fields = {"summary": "Deploy", "description": "none", "creator": {"displayName": "Carl"}, "comment": {"comments": comments}}
    issue = {"id": "1", "self": "https://acme.example/rest/api/3/issue/1", "key": "OPS-7", "fields": fields}
    return json.dumps({"startAt": 0, "maxResults": 50, "total": 1, "issues": [issue]})


def jira_backup(value: Value) -> str:
    """Return `entities.xml` of Jira's backup; the comment stands before its issue, the issue before its project."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<entity-engine-xml>
    <Action id="10101" issue="10001" author="dora" type="comment">
        <body><![CDATA[two lines
use {value}
]]></body>
    </Action>
    <Issue id="10001" number="7" project="10" creator="carl" summary="Deploy"/>
    <Project id="10" name="Operations" key="OPS"/>
</entity-engine-xml>
"""


def jira_change(value: Value) -> str:
    """Return a backup in which a description was changed."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<entity-engine-xml>
    <ChangeGroup id="5" issue="10001" author="carl"/>
    <ChangeItem id="6" group="5" field="description" oldstring="use {value}" newstring="removed"/>
    <Issue id="10001" key="OPS-7" summary="Deploy"/>
</entity-engine-xml>
"""


def confluence(value: Value) -> bytes:
    """Return Confluence's export of a space; the body stands before its page."""
    code = f'<ac:structured-macro ac:name="code"><ac:plain-text-body><![CDATA[export K={value}]] ></ac:plain-text-body></ac:structured-macro>'
    space = '<property name="space" class="Space"><id name="id">5</id></property>'
    creator = '<property name="creator" class="ConfluenceUserImpl"><id name="key"><![CDATA[u1]]></id></property>'
    entities = f"""<?xml version="1.0" encoding="UTF-8"?>
<hibernate-generic datetime="2024-01-01 00:00:00">
<object class="BodyContent" package="com.atlassian.confluence.core">
<id name="id">900</id>
<property name="body"><![CDATA[<p>Use</p>{code}]]></property>
<property name="content" class="Page" package="com.atlassian.confluence.pages"><id name="id">123</id></property>
</object>
<object class="Page" package="com.atlassian.confluence.pages"><id name="id">123</id>
<property name="title"><![CDATA[Runbook]]></property>{space}{creator}</object>
<object class="Space"><id name="id">5</id><property name="key"><![CDATA[OPS]]></property></object>
<object class="ConfluenceUserImpl"><id name="key"><![CDATA[u1]]></id><property name="name"><![CDATA[ada]]></property></object>
</hibernate-generic>
"""
    return zipped(("entities.xml", entities), ("exportDescriptor.properties", "exportType=space\n"))


def confluence_rest(value: Value) -> str:
    """Return pages as Confluence's API lists them."""
    page = {
        "id": "123",
        "type": "page",
        "status": "current",
        "title": "Runbook",
        "space": {"key": "OPS"},
        "version": {"by": {"displayName": "Ada"}, "number": 2},
        "body": {"storage": {"value": f"<p>use <strong>{value[:8]}</strong>{value[8:]}</p>", "representation": "storage"}},
    }
    return json.dumps({"results": [page], "start": 0})


def zendesk(value: Value) -> str:
    """Return Zendesk's export: a ticket a line, each comment in three forms."""
    said = f"use {value}"
    comment = {"id": 55, "type": "Comment", "author_id": 77, "body": said, "html_body": f"<p>{said}</p>", "plain_body": said}
    tickets = [
        {
            "url": f"https://acme.example/api/v2/tickets/{n}.json",
            "id": n,
            "requester_id": 66,
            "subject": "Help",
            "comments": comments,
        }
        for n, comments in ((41, []), (42, [comment]))
    ]
    return "".join(json.dumps(ticket) + "\n" for ticket in tickets)


TABLE: tuple[tuple[str, Callable[[Value], str | bytes], str, int, Facts], ...] = (
    ("slack.zip", slack_zip, "ops/2024-01-02.json", 29, {"channel": "ops", "author": "Bob B", "message": "1704153600.000200"}),
    ("2024-01-02.json", slack, "", 29, {"author": "U0002", "message": "1704153600.000200"}),
    ("discord.json", discord, "", 33, {"server": "Acme", "channel": "ops", "author": "bob", "message": "71"}),
    ("messages.json", discord_package, "", 1, {"message": "12"}),
    ("teams.json", teams, "", 16, {"channel": "19:ops@thread.tacv2", "author": "Ada L", "message": "1616990032035"}),
    ("skype.json", skype, "", 1, {"channel": "Ops", "author": "live:ada", "message": "17"}),
    ("jira.json", jira, "", 1, {"ticket": "OPS-7", "author": "Dora", "comment": "100"}),
    ("entities.xml", jira_backup, "", 5, {"ticket": "OPS-7", "author": "dora", "comment": "10101"}),
    ("change.xml", jira_change, "", 4, {"ticket": "OPS-7", "author": "carl", "ChangeItem": "6"}),
    ("jira.zip", lambda v: zipped(("entities.xml", jira_backup(v))), "entities.xml", 5, {"ticket": "OPS-7", "author": "dora", "comment": "10101"}),
    ("space.zip", confluence, "entities.xml", 5, {"space": "OPS", "page": "Runbook", "author": "ada", "page id": "123"}),
    ("confluence.json", confluence_rest, "", 1, {"space": "OPS", "page": "Runbook", "page id": "123", "author": "Ada"}),
    ("tickets.json", zendesk, "", 2, {"ticket": "42", "author": "77", "comment": "55"}),
    ("tickets.jsonl", zendesk, "", 2, {"ticket": "42", "author": "77", "comment": "55"}),
)  # fmt: skip
