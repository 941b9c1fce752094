"""Files with Content Credentials, signed with certificates that the tests make."""

import datetime
import io

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AI = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
CAMERA = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"


def signed(
    content: bytes,
    mime_type: str,
    *,
    source_type: str = CAMERA,
    organisation: str = "Test Newsroom",
    tool: str = "Test Camera",
    remote_url: str | None = None,
) -> bytes:
    """Returns a file with credentials that say how it was made.

    Args:
      content: The file without them.
      mime_type: What it is.
      source_type: IPTC's address of how it was made.
      organisation: Who signs.
      tool: With which program.
      remote_url: Where the credentials would lie; None: in the file.
    """
    action = {"action": "c2pa.created", "digitalSourceType": source_type}
    builder = c2pa.Builder(
        {
            "claim_generator_info": [{"name": tool, "version": "1.0"}],
            "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
        }
    )
    if remote_url is not None:
        builder.set_no_embed()
        builder.set_remote_url(remote_url)
    result = io.BytesIO()
    builder.sign(_signer(organisation), mime_type, io.BytesIO(content), result)
    return result.getvalue()


def _signer(organisation: str) -> c2pa.Signer:
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, name = _name("Test Root"), _name(organisation)
    root = _certificate(root_name, root_name, root_key, root_key, is_root=True)
    leaf = _certificate(name, root_name, key, root_key, is_root=False)
    chain = b"".join(c.public_bytes(serialization.Encoding.PEM) for c in (leaf, root))
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return c2pa.Signer.from_info(c2pa.C2paSignerInfo("es256", chain, private, None))


def _name(organisation: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signing_key: ec.EllipticCurvePrivateKey,
    *,
    is_root: bool,
) -> x509.Certificate:
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    usage = dict.fromkeys(
        (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
            *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    usage["key_cert_sign" if is_root else "digital_signature"] = True
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + 30 * day)
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(authority, critical=False)
        .add_extension(x509.KeyUsage(**usage), critical=True)
    )
    if not is_root:
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(purpose, critical=False)
    return builder.sign(signing_key, hashes.SHA256())
