"""What the relay answers: constant, ASCII, one line, with the codes of RFC 3463 and 5248.

Nothing a client sent and no inner trouble is ever repeated in a reply.
"""

from tracker.errors import TrackerError


class Refusal(TrackerError):
    """The conversation's answer is no; `closing` says that it ends with this."""

    def __init__(self, reply: str, *, closing: bool = False) -> None:
        super().__init__(reply)
        self.reply = reply
        self.closing = closing


OK = "250 2.0.0 OK"
SENDER_OK = "250 2.1.0 sender OK"
RECIPIENT_OK = "250 2.1.5 recipient OK"
GO_AHEAD = "354 end data with <CR><LF>.<CR><LF>"
READY_FOR_TLS = "220 2.0.0 ready to start TLS"
BYE = "221 2.0.0 bye"
CANNOT_VERIFY = "252 2.5.2 send some mail, it will be tried"
HELP = "214 2.0.0 see RFC 5321"

SHUTTING_DOWN = "421 4.3.2 shutting down"
TOO_MANY_CONNECTIONS = "421 4.7.0 too many connections"
TOO_MANY_UNKNOWN = "421 4.7.0 too many unknown recipients"
TOO_MANY_ERRORS = "421 4.7.0 too many errors"
TOO_SLOW = "421 4.4.2 timeout"
TOO_MANY_MESSAGES = "450 4.7.1 too many messages from this address, try later"
OUR_TROUBLE = "451 4.3.0 temporary trouble here, try later"
STORAGE_FULL = "452 4.3.1 no space now, try later"
TOO_MANY_RECIPIENTS = "452 4.5.3 too many recipients"

LINE_TOO_LONG = "500 5.5.2 command line too long"
UNRECOGNISED = "500 5.5.2 command not recognized"
SYNTAX = "501 5.5.2 syntax error in arguments"
BAD_BODY = "501 5.5.4 BODY is 7BIT or 8BITMIME"
NOT_OFFERED = "502 5.5.1 not offered here"
HELO_FIRST = "503 5.5.1 send EHLO first"
MAIL_FIRST = "503 5.5.1 send MAIL first"
RCPT_FIRST = "503 5.5.1 no valid recipients"
NESTED = "503 5.5.1 sender already given"
NON_ASCII = "550 5.6.7 non-ASCII addresses are not supported"
UNKNOWN = "550 5.1.1 no such address here"
NO_RELAYING = "550 5.7.1 relaying denied"
BAD_RETURN_PATH = "550 5.7.1 not a return path of ours"
TOO_LARGE = "552 5.3.4 message too large"
HEADER_TOO_LARGE = "552 5.3.4 header too large"
BAD_SENDER = "553 5.1.7 sender address not understood"
BAD_RECIPIENT = "553 5.1.3 recipient address not understood"
LOOP = "554 5.4.6 mail loop"
BAD_PARAMETER = "555 5.5.4 parameter not recognized"


def queued(id_: object) -> str:
    """The promise: the message is on stable storage."""
    return f"250 2.0.0 queued as {id_}"
