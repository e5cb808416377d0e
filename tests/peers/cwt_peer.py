"""python-cwt as a peer: opens and seals any shape of COSE that it has (pip install -r requirements.txt).

One JSON object a line on standard input, one on standard output, in the same order; cose_shapes.py says which. python-cwt
3.3.0 takes the hash of a key derivation from the curve, not from the algorithm, and uses no salt; so ECDH-..+HKDF-512 agrees
with others on P-521 alone, and uniqueness must come from PartyU's nonce.
"""

import json
import os
import sys

import cbor2
from cwt import COSE, COSEKey, COSEMessage, Recipient, Signer

from cose_shapes import (
    CURVES,
    DIRECT_AGREEMENT,
    KEY_LEN,
    NEEDS_NONCE,
    NONCE_LEN,
    WRAP,
    kid,
    member,
)

CTX = COSE.new()
# CoAP Content-Format
COSE_ENCRYPT0 = 16


def cose_key(jwk, alg, private=True):
    """The JWK as python-cwt's key for one algorithm."""
    params = {2: kid(jwk), 3: alg}
    if jwk["kty"] == "oct":
        params |= {1: 4, -1: member(jwk, "k")}
    elif jwk["kty"] == "RSA":
        params |= {1: 3, -1: member(jwk, "n"), -2: member(jwk, "e")}
        if private and "d" in jwk:
            names = {-3: "d", -4: "p", -5: "q", -6: "dp", -7: "dq", -8: "qi"}
            params |= {label: member(jwk, name) for label, name in names.items()}
    elif jwk["kty"] in ("EC", "OKP"):
        params |= {1: 2 if jwk["kty"] == "EC" else 1, -1: CURVES[jwk["crv"]], -2: member(jwk, "x")}
        if "y" in jwk:
            params[-3] = member(jwk, "y")
        if private and "d" in jwk:
            params[-4] = member(jwk, "d")
            if alg <= -25 and alg >= -34:
                params[4] = [7]
    else:
        raise ValueError(f"no keys of type {jwk['kty']}")
    return COSEKey.new(params)


def kdf_context(management, alg, nonce):
    """[AlgorithmID, PartyU, PartyV, [bits, protected]]"""
    target = WRAP.get(management, alg)
    protected = cbor2.dumps({1: management})
    return [target, [None, nonce, None], [None, None, None], [KEY_LEN[target] * 8, protected]]


def open_cose(request):
    sealed, aad = bytes.fromhex(request["sealed_hex"]), bytes.fromhex(request["aad_hex"])
    algs, keys, management = request["algs"], request["keys"], request["management"]
    if request.get("countersigner"):
        signer = request["countersigner"]
        COSEMessage.loads(sealed).counterverify(cose_key(signer["key"], signer["alg"]), aad)
    if request["structure"] == "Sign":
        opened = {CTX.decode(sealed, cose_key(key, alg), external_aad=aad) for key, alg in zip(keys, algs)}
        (plaintext,) = opened
        return {"plaintext_hex": plaintext.hex()}
    context = None
    if management is None or management == -6:
        key = cose_key(keys[0], algs[0])
    elif management in (-10, -11):
        key = COSEKey.new({1: 4, 2: kid(keys[0]), 3: 5, -1: member(keys[0], "k")})
        context = kdf_context(management, algs[0], None)
    else:
        key = cose_key(keys[0], management)
        context = kdf_context(management, algs[0], None) if management not in (-3, -4, -5) else None
    plaintext = CTX.decode(sealed, key, context=context, external_aad=aad)
    if request["within"]:
        plaintext = CTX.decode(plaintext, cose_key(keys[1], algs[1]), enable_non_aead=True)
    return {"plaintext_hex": plaintext.hex()}


def seal_cose(request):
    content, aad = bytes.fromhex(request["content_hex"]), bytes.fromhex(request["aad_hex"])
    algs, keys, management = request["algs"], request["keys"], request["management"]
    if request["within"]:
        inner = cose_key(keys[1], algs[1])
        unprotected = {1: algs[1], 4: kid(keys[1]), 5: os.urandom(NONCE_LEN[algs[1]])}
        content = CTX.encode(content, inner, unprotected=unprotected, enable_non_aead=True)
    if request["structure"] == "Sign":
        signers = [Signer.new(cose_key(key, alg), {1: alg}, {4: kid(key)}) for key, alg in zip(keys, algs)]
        return {"sealed_hex": CTX.encode(content, signers=signers, external_aad=aad).hex()}
    unprotected = {}
    if algs[0] in NONCE_LEN:
        unprotected[5] = os.urandom(NONCE_LEN[algs[0]])
    if management is None:
        unprotected[4] = kid(keys[0])
        protected = {1: algs[0], **({3: COSE_ENCRYPT0} if request["within"] else {})}
        sealed = CTX.encode(content, cose_key(keys[0], algs[0]), protected, unprotected, external_aad=aad)
    else:
        content_key, recipient = recipient_of(request)
        recipients = [recipient]
        sealed = CTX.encode(content, content_key, {1: algs[0]}, unprotected, recipients, external_aad=aad)
    if request.get("countersigner"):
        signer = request["countersigner"]
        signed = Signer.new(cose_key(signer["key"], signer["alg"]), {1: signer["alg"]}, {4: kid(signer["key"])})
        sealed = COSEMessage.loads(sealed).countersign(signed, aad).dumps()
    return {"sealed_hex": sealed.hex()}


def open_hpke(request):
    sealed, aad = bytes.fromhex(request["sealed_hex"]), bytes.fromhex(request["aad_hex"])
    plaintext = CTX.decode(sealed, cose_key(request["key"], request["alg"]), external_aad=aad)
    return {"plaintext_hex": plaintext.hex()}


def seal_hpke(request):
    content, aad = bytes.fromhex(request["content_hex"]), bytes.fromhex(request["aad_hex"])
    receiver = cose_key(request["key"], request["alg"], private=False)
    protected, named = {1: request["alg"]}, {4: kid(request["key"])}
    if not request["wraps"]:
        return {"sealed_hex": CTX.encode(content, receiver, protected, named, external_aad=aad).hex()}
    drawn = COSEKey.from_symmetric_key(os.urandom(16), alg=1)
    recipients = [Recipient.new(protected, named, recipient_key=receiver)]
    sealed = CTX.encode(content, drawn, {1: 1}, {5: os.urandom(12)}, recipients, external_aad=aad)
    return {"sealed_hex": sealed.hex()}


def recipient_of(request):
    """The content key and the recipient that gets it."""
    alg, jwk, management = request["algs"][0], request["keys"][0], request["management"]
    named = {4: kid(jwk)}
    if management == -6:
        return cose_key(jwk, alg), Recipient.new(unprotected={1: management, **named})
    drawn = COSEKey.from_symmetric_key(os.urandom(KEY_LEN[alg]), alg=alg)
    if management in (-3, -4, -5):
        kek = cose_key(jwk, management)
        return drawn, Recipient.new(unprotected={1: management, **named}, sender_key=kek)
    nonce = os.urandom(16) if management in NEEDS_NONCE else None
    context = kdf_context(management, alg, nonce)
    if management in (-10, -11):
        secret = COSEKey.from_symmetric_key(member(jwk, "k"))
        return secret, Recipient.new({1: management}, named, context=context)
    sender = cose_key(request["sender"], management) if request["sender"] else None
    recipient = Recipient.new(
        {1: management},
        named,
        sender_key=sender,
        recipient_key=cose_key(jwk, management, private=False),
        context=context,
    )
    return None if management in DIRECT_AGREEMENT else drawn, recipient


def answer(line):
    request = {}
    try:
        request = json.loads(line)
        answers = {"open-cose": open_cose, "seal-cose": seal_cose, "open-hpke": open_hpke, "seal-hpke": seal_hpke}
        done = answers[request["do"]](request)
    except Exception as fault:  # whatever python-cwt makes of a bad message is an answer, not an end
        done = {"error": f"{type(fault).__name__}: {fault}"}
    return {"id": request["id"], **done} if "id" in request else done


def main():
    for line in sys.stdin:
        print(json.dumps(answer(line)), flush=True)


if __name__ == "__main__":
    main()
