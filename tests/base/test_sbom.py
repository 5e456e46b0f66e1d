"""`make sbom`: the document of what a running portal is made of names every pinned package, and nothing else."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from memoryportal.base.databases import PROJECT_DIR

PINNED = (PROJECT_DIR / "requirements" / "base.txt").read_text()


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    command = [sys.executable, "-W", "error", ".ci/sbom.py"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT_DIR, check=True)
    return dict(json.loads(result.stdout))


def test_every_pinned_package_is_in_it_and_no_other(written: dict[str, Any]) -> None:
    pinned = set(re.findall(r"^([a-z0-9-]+)(?:\[.*\])?==(\S+)", PINNED, re.M))
    assert {(part["name"], part["version"]) for part in written["components"]} == pinned
    assert (written["bomFormat"], written["specVersion"]) == ("CycloneDX", "1.6")
    assert len(pinned) > 50
    assert "pytest" not in {name for name, _ in pinned}, "what tests need runs nowhere else"


def test_every_hash_is_in_it(written: dict[str, Any]) -> None:
    files = [part["externalReferences"][0]["hashes"] for part in written["components"]]
    assert all(files)
    found = {(one["alg"], one["content"]) for hashes in files for one in hashes}
    assert found == {("SHA-256", digits) for digits in re.findall(r"--hash=sha256:([0-9a-f]{64})", PINNED)}


def test_who_needs_whom_is_in_it(written: dict[str, Any]) -> None:
    needs = {entry["ref"]: entry.get("dependsOn", []) for entry in written["dependencies"]}
    assert needs.keys() == {"memoryportal", *(part["bom-ref"] for part in written["components"])}
    assert [ref for ref in needs["memoryportal"] if ref.startswith("pkg:pypi/django@")]
    reached, further = set[str](), ["memoryportal"]
    while further:
        ref = further.pop()
        further += [each for each in needs[ref] if each not in reached]
        reached |= {ref}
    assert reached == needs.keys(), "nothing hangs in the air"


def test_licences_are_those_that_packages_state(written: dict[str, Any]) -> None:
    stated = {part["name"]: part.get("licenses") for part in written["components"]}
    assert stated["django"] == [{"license": {"acknowledgement": "declared", "id": "BSD-3-Clause"}}]
    assert len([licence for licence in stated.values() if licence]) > 0.9 * len(stated)
