"""Who vouches for a pack: Ed25519 signatures in manifests, and the keys that a user trusts."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import write_atomic
from pixsearch.contract.user_folders import config_folder

ALGORITHM = "ed25519"
FIELD = "signature"
MAX_KEY_BYTES = 10_000
KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HEX = {"key": re.compile(r"[0-9a-f]{64}"), "value": re.compile(r"[0-9a-f]{128}")}


def new_key(path: Path) -> Path:
    """Make a secret key at `path`, readable by its owner alone, and its public half beside it, which is returned.

    Raises Fault where either exists.
    """
    public = path.with_suffix(".pub")
    for one in (path, public):
        if one.exists():
            raise Fault(f"key {one}", expected="a new file", actual="one that is there",
                        remedy="choose another name: an overwritten key is lost for good")
    secret = Ed25519PrivateKey.generate()
    content = secret.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                   serialization.NoEncryption())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    write_atomic(public, secret.public_key().public_bytes(serialization.Encoding.PEM,
                                                          serialization.PublicFormat.SubjectPublicKeyInfo))
    return public


def read_secret_key(path: Path) -> Ed25519PrivateKey:
    """A secret key from a PEM file. Raises Fault."""
    try:
        key = serialization.load_pem_private_key(_content(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(path, "secret") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, "secret")
    return key


def read_public_key(path: Path) -> str:
    """A public key from a PEM file, as 64 hexadecimal digits. Raises Fault."""
    try:
        key = serialization.load_pem_public_key(_content(path))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(path, "public") from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "public")
    return key.public_bytes_raw().hex()


def signed(manifest: Mapping[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """A manifest with a signature over everything else in it, the hashes of all files included."""
    signature = {"algorithm": ALGORITHM, "key": key.public_key().public_bytes_raw().hex(),
                 "value": key.sign(_signed_bytes(manifest)).hex()}
    return {**manifest, FIELD: signature}


def signer_of(manifest: Mapping[str, Any], title: str) -> str | None:
    """The public key that signed a manifest, as 64 hexadecimal digits; None where it has no signature.

    title : what faults call it. Raises Fault for a signature that is not of these very bytes, whoever's it is.
    """
    if FIELD not in manifest:
        return None
    signature = manifest[FIELD]
    if not isinstance(signature, dict) or set(signature) != {"algorithm", *_HEX} \
            or signature["algorithm"] != ALGORITHM \
            or not all(isinstance(signature[name], str) and form.fullmatch(signature[name])
                       for name, form in _HEX.items()):
        raise _bad_signature(title, "one of another form")
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature["key"]))
        key.verify(bytes.fromhex(signature["value"]), _signed_bytes(manifest))
    except (InvalidSignature, ValueError) as error:
        raise _bad_signature(title, f"one of key {signature['key'][:12]}… over other content") from error
    return str(signature["key"])


def require_trusted(manifest: Mapping[str, Any], trusted: Mapping[str, str] | None, title: str) -> str | None:
    """The signer of a manifest; where `trusted` (name by key) is given, it must be one of those. Raises Fault."""
    signer = signer_of(manifest, title)
    if trusted is not None and signer not in trusted:
        raise Fault(title, expected="the signature of a trusted key",
                    actual=f"one of key {signer[:12]}…" if signer else "no signature",
                    remedy="get it from who signs it, or add their key with `pixsearch pack keys trust`")
    return signer


def trusted_keys() -> dict[str, str]:
    """Names of the keys that this user trusts, by key (64 hexadecimal digits). Raises Fault for a damaged one."""
    return {read_public_key(path): path.stem for path in sorted(_folder().glob("*.pub"))}


def trust(path: Path, name: str | None = None) -> str:
    """Trust a public key from now on; returns it. Raises Fault for what is no key or no name for one."""
    key, name = read_public_key(path), name or path.stem
    _folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    target = _named(name)
    if target.exists() and read_public_key(target) != key:
        raise Fault(f"key name {name}", expected="a new name", actual="that of another key",
                    remedy="choose another with --name, or distrust that one first")
    write_atomic(target, _content(path))
    return key


def distrust(name: str) -> None:
    """Trust a key no longer. Raises Fault for an unknown name."""
    target = _named(name)
    if not target.is_file():
        raise Fault(f"key {name}", expected="the name of a trusted key", actual="none of that name",
                    remedy="see `pixsearch pack keys list`")
    target.unlink()


def _folder() -> Path:
    return config_folder() / "trusted-keys"


def _named(name: str) -> Path:
    if not KEY_NAME.fullmatch(name):
        raise Fault(f"key name {name[:80]!r}", expected="letters, digits, '.', '_' and '-'", actual="something else",
                    remedy="choose another with --name")
    return _folder() / f"{name}.pub"


def _signed_bytes(manifest: Mapping[str, Any]) -> bytes:
    own = {key: value for key, value in manifest.items() if key != FIELD}
    return b"pixsearch manifest\n" + json.dumps(own, sort_keys=True, separators=(",", ":")).encode()


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise Fault(f"key {path}", expected="a key file", actual="none there", remedy="check the path")
    with path.open("rb") as stream:
        content = stream.read(MAX_KEY_BYTES + 1)
    if len(content) > MAX_KEY_BYTES:
        raise _no_key(path, "whole")
    return content


def _no_key(path: Path, kind: str) -> Fault:
    return Fault(f"key {path}", expected=f"a {kind} Ed25519 key as PEM", actual="something else",
                 remedy="make one with `pixsearch pack keys new`, or name its other half")


def _bad_signature(title: str, actual: str) -> Fault:
    return Fault(title, expected="a signature of this very content", actual=actual,
                 remedy="it was changed after it was signed: get it again from its source")
