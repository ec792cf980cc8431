"""The relay's certificate: read at the start, and again as long as it runs.

Certificates are renewed every few weeks; connections that come after the new one was read
are greeted with it, and nothing is restarted.
"""

import asyncio
import logging
import ssl

from tracker import config
from tracker.errors import BadInput

log = logging.getLogger(__name__)

AGAIN = 3600.0  # seconds between readings


def context(settings: config.Settings) -> ssl.SSLContext | None:
    """What STARTTLS is done with; None: not offered. Raises BadInput."""
    if not (settings.tls_certificate and settings.tls_key):
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise BadInput(
            f"SKVOZ_TLS_CERTIFICATE, SKVOZ_TLS_KEY: cannot be read ({error})"
        ) from error
    return made


async def renew(made: ssl.SSLContext, settings: config.Settings) -> None:
    """Read the certificate again every hour until cancelled."""
    while True:
        await asyncio.sleep(AGAIN)
        try:
            made.load_cert_chain(settings.tls_certificate, settings.tls_key)
        except (OSError, ssl.SSLError):
            log.warning("certificate not read anew: the old one goes on serving")
