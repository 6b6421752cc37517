"""Which images hold which layers, and what became of a file in the layers above: told of findings once they are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from leakguard.model.blob import ImageProvenance, MemberProvenance
from leakguard.model.finding import Finding, Place
from leakguard.sources.image.layers import Layer
from leakguard.sources.image.resolve import Image
from leakguard.sources.unpack.layer import Listing, normal

_LONGEST = 240
"""Characters of an instruction that are shown."""

Facts = tuple[tuple[str, str], ...]


class Ledger:
    """Keeps account of images. `relist` lists a layer that a worker read; None where that can't be done again."""

    def __init__(self, relist: Callable[[ImageProvenance, Layer], Listing | None]) -> None:
        self.listings: dict[ImageProvenance, Listing] = {}
        self.layers: dict[ImageProvenance, Layer] = {}
        self.images: dict[ImageProvenance, Image] = {}
        """By the provenance of their configurations."""
        self._relist = relist
        self._first: dict[str, ImageProvenance] = {}
        """Content -> where it is read."""
        self._read: set[ImageProvenance] = set()
        self._holders: dict[str, list[tuple[Image, int]]] = {}
        self._fates: dict[tuple[str, str, str, int, str], str] = {}
        self._configs: dict[str, list[Image]] = {}

    def config(self, image: Image) -> ImageProvenance | None:
        """Take an image; returns the provenance of its configuration if that is new."""
        provenance = ImageProvenance(image.root, image.path, layer=image.id)
        new = image.id not in self._configs
        self._configs.setdefault(image.id, []).append(image)
        self.images.setdefault(provenance, image)
        return provenance if new else None

    def known(self, key: str) -> bool:
        """Whether a content is read already."""
        return key in self._first

    def passed(self, provenance: ImageProvenance) -> None:
        """Note that a layer was read before anybody knew whose it is."""
        self._read.add(provenance)

    def take(self, image: Image) -> Iterator[tuple[Layer, ImageProvenance, bool]]:
        """Yield the layers of an image that are still to be read, and whether their content is read elsewhere already."""
        for number, layer in enumerate(image.layers):
            provenance = ImageProvenance(image.root, image.path, layer=layer.name)
            self.layers.setdefault(provenance, layer)
            self._holders.setdefault(layer.key, []).append((image, number))
            first = self._first.setdefault(layer.key, provenance)
            if provenance not in self._read:
                self._read.add(provenance)
                yield layer, provenance, first != provenance

    def settle(self, findings: Iterable[Finding], key: Callable[[Place], object]) -> list[Finding]:
        """Return findings whose places name every image that holds them, its layer, and whether the file is still there."""
        out = []
        for finding in findings:
            places = [told for place in finding.places for told in self._places(place)]
            out.append(finding._replace(places=tuple(sorted(places, key=key))))  # type: ignore[arg-type]  # a key that sorts
        return out

    def _places(self, place: Place) -> Iterator[Place]:
        provenance = place.provenance
        if not isinstance(provenance, MemberProvenance) or not isinstance(provenance.outer, ImageProvenance):
            yield place
            return
        outer = provenance.outer
        layer = self.layers.get(outer)
        if layer is None:
            for image in self._configs.get(outer.layer, ()):
                facts = (*_of_image(image), *provenance.facts)
                mine = ImageProvenance(image.root, image.path, layer=image.id)
                yield place._replace(provenance=provenance._replace(outer=mine, facts=facts))
            return
        for image, number in self._holders[layer.key]:
            its = image.layers[number]
            mine = ImageProvenance(image.root, image.path, layer=its.name)
            facts = (*_of_image(image), *_of_layer(image, number), *provenance.facts)
            if not its.single:
                facts = (*facts, ("in the final image", self._fate(image, number, provenance.inner[0])))
            yield place._replace(provenance=provenance._replace(outer=mine, facts=facts))

    def _fate(self, image: Image, number: int, name: str) -> str:
        """Return whether a file of a layer is in the image as it runs, and else why not."""
        key = (image.root, image.path, image.id, number, name)
        if key not in self._fates:
            self._fates[key] = self._looked_up(image, number, normal(name))
        return self._fates[key]

    def _looked_up(self, image: Image, number: int, path: str) -> str:
        for above in range(number + 1, len(image.layers)):
            listing = self._listing(image, above)
            which = f"layer {above + 1} of {len(image.layers)}"
            if listing is not None and (what := listing.fate(path)):
                return f"no, {what} by {which}"
            if listing is None or not listing.complete:
                return f"unknown, {which} could not be read"
        return "yes"

    def _listing(self, image: Image, number: int) -> Listing | None:
        layer = image.layers[number]
        provenance = self._first[layer.key]
        if provenance not in self.listings and not layer.left_out[0]:
            listing = self._relist(provenance, self.layers[provenance])
            if listing is not None:
                self.listings[provenance] = listing
        return self.listings.get(provenance)


def _of_image(image: Image) -> Facts:
    name = (("image", image.name),) if image.name and image.name != image.path else ()
    digest = (("digest", image.digest),) if image.digest else ()
    platform = (("platform", image.config.platform),) if image.config.platform else ()
    return (*name, *digest, ("image id", image.id), *platform)


def _of_layer(image: Image, number: int) -> Facts:
    layer = image.layers[number]
    made = image.config.instructions(len(image.layers))[number]
    if len(made) > _LONGEST:
        made = made[:_LONGEST] + "..."
    digest = layer.diff_id or layer.digest
    return (
        ("layer", f"{number + 1} of {len(image.layers)}"),
        *((("layer digest", digest),) if digest else ()),
        *((("blob", layer.digest),) if layer.digest not in {"", digest} else ()),
        *((("instruction", " ".join(made.split())),) if made else ()),
    )
