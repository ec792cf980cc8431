"""What is pasted into UIS, CoMagic, CallGear and Novofon 2.0: our notification templates.

Pure. One notification for each kind of event: the platform's own name of the event is free
text in the account's language, so every template says ours. Section 4.1 of the telephony
notes. Placeholders stand without quotes, the platform adds them.
"""

import msgspec

INTERACTIVE = "Интерактивная обработка вызова (route)"  # its address, not a template

# What every template asks for, then what only some do.
VARIABLES = (
    "notification_mnemonic", "notification_name", "notification_time",
    "notification_timestamp", "call_session_id", "external_id", "communication_id",
    "direction", "start_time", "contact_phone_number", "virtual_phone_number",
    "calling_phone_number", "called_phone_number", "scenario_id", "scenario_name",
)  # fmt: skip
TEMPLATES: dict[str, tuple[str, tuple[str, ...]]] = {
    "inbound": (
        "Входящий звонок на виртуальный номер",
        ("communication_number", "contact_id", "contact_full_name"),
    ),
    "ringing": ("Ожидание ответа", ("employee_id", "employee_full_name", "leg_id")),
    "answered": ("Начало разговора", ("employee_id", "employee_full_name", "leg_ids")),
    "talk_end": ("Окончание разговора", ("talk_time_duration", "leg_ids")),
    "ended": (
        "Завершение звонка",
        ("talk_time_duration", "total_time_duration", "wait_time_duration",
         "employee_id", "employee_full_name", "extension_phone_number", "call_source",
         "call_status", "tag_names"),
    ),
    "lost": ("Потерянный звонок", ("wait_time_duration", "employee_ids")),
    "recording": (
        "Записанный разговор",
        ("file_link", "file_duration", "employee_id", "employee_full_name", "tag_ids"),
    ),
    "voicemail": ("Голосовое сообщение", ("file_link", "file_duration")),
    "outbound": ("Исходящий звонок", ("employee_phone_number",)),
}  # fmt: skip


def made(secret: str) -> dict[str, str]:
    """The body of each notification, by the platform's name of it and ours."""
    return {
        f"{title} ({event})": _body(event, secret, own)
        for event, (title, own) in TEMPLATES.items()
    }


def _body(event: str, secret: str, own: tuple[str, ...]) -> str:
    quoted = msgspec.json.encode(secret).decode()
    rows = [f'"v":1,"secret":{quoted},"event":"{event}"']
    rows += [f'"{name}":{{{{{name}}}}}' for name in (*VARIABLES, *own)]
    return "{" + ",\n ".join(rows) + "}"
