"""Which pack may take the place of which: a later version of the same name, signed by whoever signed the one before."""

from collections.abc import Mapping
from typing import Any

from pixsearch.contract.faults import Fault
from pixsearch.index.signatures import FIELD, signer_of


def refuse_step_back(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Raise Fault unless the manifest `new` follows `old`, or says the same."""
    title = f"pack {name}"
    was, now = signer_of(old, title), signer_of(new, title)
    if was is not None and now != was:
        raise Fault(title, expected=f"the signature of key {was[:12]}…, as of the version before",
                    actual=f"one of key {now[:12]}…" if now else "no signature",
                    remedy="get it from who signed that one, or remove that first")
    if _unsigned(old) != _unsigned(new) and new["version"] <= old["version"]:
        raise Fault(title, expected=f"a version above {old['version']}", actual=str(new["version"]),
                    remedy="get a newer one; `pixsearch pack rollback` goes back to the version before")


def _unsigned(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in manifest.items() if key != FIELD}
