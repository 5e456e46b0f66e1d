"""What a running portal is made of: a CycloneDX document of requirements/base.txt, on standard output (`make sbom`).

Versions, hashes and who needs whom come from the pinned file; licences from what is installed, where that is the same
version.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from cyclonedx.contrib.hash.factories import HashTypeFactory
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License, LicenseAcknowledgement
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.utils import canonicalize_name

HERE = Path(__file__).resolve().parent.parent
PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?==(?P<version>[^\s;\\]+)")
HASH = re.compile(r"--hash=(?P<kind>\w+):(?P<digits>[0-9a-f]+)")
VIA = re.compile(r"\s+#(?: via)? {1,3}(?P<name>[A-Za-z0-9._-]+)")


@dataclass
class Pin:
    name: str
    version: str
    hashes: list[str] = field(default_factory=list)
    needed_by: list[str] = field(default_factory=list)


def pins(text: str) -> Iterator[Pin]:
    """Raises ValueError for a package without a hash, and for a line that cannot be read."""
    for block in re.split(r"\n(?=[A-Za-z0-9])", text):
        if block.startswith("#"):
            continue
        first = PIN.match(block)
        if first is None:
            raise ValueError(f"this is no pinned package: {block.splitlines()[0]}")
        hashes = [f"{found['kind']}:{found['digits']}" for found in HASH.finditer(block)]
        if not hashes:
            raise ValueError(f"{first['name']} has no hash")
        names = (found["name"] for line in block.splitlines() if (found := VIA.match(line)))
        needed_by = [name for name in names if name != "via"]  # alone in its line where several follow
        yield Pin(canonicalize_name(first["name"]), first["version"], hashes, needed_by)


def component(pin: Pin) -> Component:
    url = PackageURL("pypi", name=pin.name, version=pin.version)
    # A package has a file for each platform, and each file a hash: none of them is "the" hash of the package.
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(url.to_string()),
        comment="SHA-256 of each file of this version that may be installed",
        hashes=[HashTypeFactory().from_composite_str(digest) for digest in pin.hashes],
    )
    return Component(
        type=ComponentType.LIBRARY,
        name=pin.name,
        version=pin.version,
        purl=url,
        bom_ref=url.to_string(),
        licenses=licences(pin),
        external_references=[files],
    )


def licences(pin: Pin) -> list[License]:
    try:
        about = metadata.metadata(pin.name)
    except metadata.PackageNotFoundError:
        return []
    if about["Version"] != pin.version:
        return []
    factory, stated = LicenseFactory(), LicenseAcknowledgement.DECLARED
    if expression := about.get("License-Expression"):
        return [factory.make_from_string(expression, license_acknowledgement=stated)]
    classes = [line.rsplit(" :: ", 1)[-1] for line in about.get_all("Classifier", []) if line.startswith("License ::")]
    named = [name for name in classes if name != "OSI Approved"] or (about.get("License") or "").splitlines()[:1]
    return [factory.make_with_name(name, acknowledgement=stated) for name in named]


def document() -> Bom:
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    root = Component(
        type=ComponentType.APPLICATION, name=project["name"], version=project["version"], bom_ref=project["name"]
    )
    found = list(pins((HERE / "requirements/base.txt").read_text()))
    parts = {pin.name: component(pin) for pin in found}
    bom = Bom(components=parts.values())
    bom.metadata.component = root
    needs: dict[str, list[Component]] = {name: [] for name in [*parts, project["name"]]}
    for pin in found:
        for name in pin.needed_by:
            needs[canonicalize_name(name)].append(parts[pin.name])
    for name, needed in needs.items():
        bom.register_dependency(parts.get(name, root), needed)
    return bom


if __name__ == "__main__":
    sys.stdout.write(
        make_outputter(document(), OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2) + "\n"
    )
