"""The providers' own libraries sign what our verifiers check, or check what our tests sign.

They are imported with warnings off: what they use that is deprecated is not our concern.
"""

import base64
import importlib
import warnings
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.telephony import make
from tracker.errors import BadSignature
from web.telephony import Hook
from web.telephony.jwt import claims
from web.telephony.plivo import Plivo, signed_text
from web.telephony.plivo import signature as plivo_signature
from web.telephony.telnyx import Telnyx
from web.telephony.twilio import Twilio
from web.telephony.twilio import signature as twilio_signature
from web.telephony.vonage import Vonage


def imported(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


twilio = imported("twilio.request_validator")
telnyx = imported("telnyx.lib.webhook_verification")
plivo = imported("plivo.utils.signature_v3")
vonage_jwt = imported("vonage_jwt")
jwt = imported("jwt")  # what Vonage's library signs and reads tokens with

fuzz = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])  # fmt: skip
# Names and values as forms have them.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
names = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8)  # fmt: skip
forms = st.dictionaries(names, texts, max_size=8)
# Plivo's library cannot read other letters in a query.
latin = st.text(st.characters(codec="ascii"), min_size=1, max_size=8)
queries = st.dictionaries(latin, latin | st.just(""), max_size=5)
URL = f"{make.ADDRESS}/leg"


# Twilio -------------------------------------------------------------------------------


@fuzz
@given(form=forms, query=forms)
def test_what_twilio_signs_is_believed(
    form: dict[str, str], query: dict[str, str]
) -> None:
    url = f"{URL}?{urlencode(query)}" if query else URL
    sign = twilio.RequestValidator("t0ken").compute_signature(url, form)
    hook = make.hook(url=url, query=urlencode(query), form=form, headers={"x-twilio-signature": sign})  # fmt: skip
    Twilio(auth_token="t0ken").verify(hook)
    with pytest.raises(BadSignature):
        Twilio(auth_token="t1ken").verify(hook)


def test_what_twilio_signs_with_a_json_body_is_believed() -> None:
    body = '{"CallSid": "CA1", "text": "я"}'
    validator = twilio.RequestValidator("t0ken")
    url = f"{URL}?bodySHA256={validator.compute_hash(body)}"
    headers = {"x-twilio-signature": validator.compute_signature(url, {}), "content-type": "application/json"}  # fmt: skip
    hook = make.hook(url=url, query=url.partition("?")[2], body=body.encode(), headers=headers)  # fmt: skip
    Twilio(auth_token="t0ken").verify(hook)


@fuzz
@given(form=forms, port=st.sampled_from(["", ":443", ":8443"]))
def test_twilio_believes_what_we_sign(form: dict[str, str], port: str) -> None:
    url = URL.replace(".org", f".org{port}")
    sign = twilio_signature("t0ken", url, list(form.items()))
    assert twilio.RequestValidator("t0ken").validate(url, form, sign)


# Telnyx -------------------------------------------------------------------------------

KEY = Ed25519PrivateKey.generate()
PUBLIC = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()


@fuzz
@given(body=st.text(max_size=200).map(str.encode), other=st.binary(max_size=5))
def test_telnyx_and_we_believe_the_same_signatures(body: bytes, other: bytes) -> None:
    now = datetime.now(UTC)
    stamp = str(int(now.timestamp()))
    signature = base64.b64encode(KEY.sign(f"{stamp}|".encode() + body)).decode()
    headers = {"telnyx-signature-ed25519": signature, "telnyx-timestamp": stamp}

    telnyx.verify_webhook_signature(body, headers, PUBLIC)
    Telnyx(public_key=PUBLIC).verify(make.hook(body=body, headers=headers, at=now))
    if other:
        changed = body + other
        with pytest.raises((telnyx.WebhookVerificationError, UnicodeDecodeError)):
            telnyx.verify_webhook_signature(changed, headers, PUBLIC)
        with pytest.raises(BadSignature):
            Telnyx(public_key=PUBLIC).verify(make.hook(body=changed, headers=headers, at=now))  # fmt: skip


# Plivo --------------------------------------------------------------------------------


def plivo_hook(
    method: str, form: dict[str, str], query: dict[str, str], sign: str = ""
) -> Hook:
    url = f"{URL}?{urlencode(query)}" if query else URL
    headers = {"x-plivo-signature-v3": sign, "x-plivo-signature-v3-nonce": "1234567890"}
    return make.hook(method=method, url=url, query=urlencode(query), form=form or None, headers=headers)  # fmt: skip


@fuzz
@given(form=forms, query=queries)
def test_what_plivo_signs_is_believed(
    form: dict[str, str], query: dict[str, str]
) -> None:
    bare = plivo_hook("POST", form, query)
    base = plivo.construct_post_url(bare.url, dict(form)).decode()
    sign = plivo.get_signature_v3("t0ken", base, "1234567890").decode()
    hook = plivo_hook("POST", form, query, sign)
    Plivo(auth_token="t0ken").verify(hook)
    with pytest.raises(BadSignature):
        Plivo(auth_token="t1ken").verify(hook)


@fuzz
@given(query=queries)
def test_what_plivo_signs_of_a_get_is_believed(query: dict[str, str]) -> None:
    bare = plivo_hook("GET", {}, query)
    base = plivo.construct_get_url(bare.url, {}).decode()
    sign = plivo.get_signature_v3("t0ken", base, "1234567890").decode()
    Plivo(auth_token="t0ken").verify(plivo_hook("GET", {}, query, sign))


@fuzz
@given(form=forms, query=queries, method=st.sampled_from(["GET", "POST"]))
def test_plivo_believes_what_we_sign(
    form: dict[str, str], query: dict[str, str], method: str
) -> None:
    params = form if method == "POST" else {}
    hook = plivo_hook(method, params, query)
    sign = plivo_signature("t0ken", signed_text(method, hook.url, hook), "1234567890")
    assert plivo.validate_v3_signature(method, hook.url, "1234567890", "t0ken", sign, dict(params))  # fmt: skip


# Vonage -------------------------------------------------------------------------------

SECRET = "qwertyuiopasdfghjklzxcvbnm123456"


@fuzz
@given(body=st.binary(min_size=1, max_size=200), claim=texts)
def test_what_the_library_of_vonages_tokens_signs_is_believed(
    body: bytes, claim: str
) -> None:
    now = datetime.now(UTC)
    said = {"iat": int(now.timestamp()), "jti": claim, "iss": "Vonage", "api_key": "k", "payload_hash": sha256(body).hexdigest()}  # fmt: skip
    token = jwt.encode(said, SECRET, algorithm="HS256")
    assert vonage_jwt.verify_signature(token, SECRET)
    hook = make.hook(body=body, headers={"authorization": f"Bearer {token}"}, at=now)
    Vonage(signature_secret=SECRET, api_key="k").verify(hook)
    assert claims(token, SECRET) == said


def test_vonage_and_we_refuse_the_same_tokens() -> None:
    said = {"iat": 1, "api_key": "k"}
    strangers = jwt.encode(said, SECRET[::-1], algorithm="HS256")
    assert not vonage_jwt.verify_signature(strangers, SECRET)
    none = jwt.encode(said, None, algorithm="none")
    other = jwt.encode(said, SECRET * 2, algorithm="HS512")
    for token in (none, other, "asdf"):
        with pytest.raises(vonage_jwt.VonageVerifyJwtError):
            vonage_jwt.verify_signature(token, SECRET)
    for token in (strangers, none, other, "asdf"):
        with pytest.raises(BadSignature):
            claims(token, SECRET)
