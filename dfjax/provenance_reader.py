"""Reads the Content Credentials (C2PA) of the file on standard input; prints them as JSON.

A program of its own, so that what a stranger's file does to the library happens in a process with
limits: `dfjax.provenance` starts it. It imports nothing of dfjax.
"""

import json
from typing import Any

import c2pa

# No address in a file is asked: not for its credentials, not for whether a certificate is revoked.
_SETTINGS = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}

_STATUS = {"Valid": "valid", "Trusted": "valid"}

_NO_TRUST_LIST = "signingCredential.untrusted"
"""Said of every signer, since there is no list of those who are trusted."""


def main() -> None:
    """Prints what the credentials say."""
    context = c2pa.Context(c2pa.Settings.from_dict(_SETTINGS))
    with open(0, "rb") as file:
        try:
            reader = c2pa.Reader.try_create(None, file, None, context)
            found = {"status": "absent"} if reader is None else _summary(json.loads(reader.json()))
        except c2pa.C2paError as error:
            # There is a class for this, C2paError.RemoteManifest, which is not what is raised.
            is_remote = str(error).startswith("Remote")
            found = {"status": "remote" if is_remote else "unreadable"}
    print(json.dumps(found))


def _summary(store: dict[str, Any]) -> dict[str, Any]:
    """Returns the few facts that matter, from all manifests of a file and its ingredients."""
    manifests = store.get("manifests", {})
    active = manifests.get(store.get("active_manifest"), {})
    signature = active.get("signature_info") or {}
    actions = [
        action
        for manifest in manifests.values()
        for assertion in manifest.get("assertions", [])
        if assertion.get("label", "").startswith("c2pa.actions")
        for action in assertion.get("data", {}).get("actions", [])
    ]
    types = {action["digitalSourceType"] for action in actions if "digitalSourceType" in action}
    failures = {status.get("code") for status in store.get("validation_status") or []}
    return {
        "status": _STATUS.get(store.get("validation_state", ""), "broken"),
        "signer": signature.get("issuer") or signature.get("common_name"),
        "signed_at": signature.get("time"),
        "tool": _tool(active),
        "source_types": sorted(str(kind).rsplit("/", 1)[-1] for kind in types),
        "problems": sorted(str(code) for code in failures - {_NO_TRUST_LIST, None}),
    }


def _tool(manifest: dict[str, Any]) -> str | None:
    """Returns the name and the version of the program that wrote the credentials."""
    named = (manifest.get("claim_generator_info") or [{}])[0]
    words = [str(named[key]) for key in ("name", "version") if named.get(key)]
    return " ".join(words) or manifest.get("claim_generator")


if __name__ == "__main__":
    main()
