"""The CRM template that makes 3CX tell us of its calls: uploaded in its console, CRM page.

Pure. 3CX's documents: "CRM Template XML Description" and "Call Journaling". `ReportCall`
runs once when a call is over; its variables have neither the call's id nor the dialled
number. The moment of the answer is left out: a missed call has none, and formatting nothing
fails in 3CX. Contact lookup, which every template must have, is answered "nobody".
"""

from xml.sax.saxutils import escape, quoteattr

TIME = '[[{0}].ToString("yyyy-MM-ddTHH:mm:ssZ")]'
FIELDS = {
    "call_type": "[CallType]",
    "number": "[Number]",
    "agent": "[Agent]",
    "duration": "[Duration]",
    "started_at": TIME.format("CallStartTimeUTC"),
    "ended_at": TIME.format("CallEndTimeUTC"),
    "recording_url": "[RecordingUrl]",
}
VERSION = 1


def template(address: str, token: str) -> str:
    """The file for the connection with this address."""
    lookup = _request(f"{address}/lookup", token, {"number": "[Number]"})
    report = _request(f"{address}/report", token, FIELDS)
    return f"""<?xml version="1.0" encoding="utf-8"?>
<Crm Country="" Name="Skvoz" Version="{VERSION}" SupportsEmojis="true">
  <Number Prefix="Plus" MaxLength="" />
  <Connection MaxConcurrentRequests="4" />
  <Parameters />
  <Authentication Type="No" />
  <Scenarios>
    <Scenario Id="" Type="REST">
{lookup}
      <Rules><Rule Type="Any">contacts</Rule></Rules>
      <Variables><Variable Name="Name" Path="contacts.name"><Filter /></Variable></Variables>
      <Outputs AllowEmpty="false"><Output Type="FirstName" Passes="0" Value="[Name]" /></Outputs>
    </Scenario>
    <Scenario Id="ReportCall" Type="REST">
{report}
      <Rules />
      <Variables />
      <Outputs AllowEmpty="true" />
    </Scenario>
  </Scenarios>
</Crm>
"""


def _request(url: str, token: str, fields: dict[str, str]) -> str:
    values = "\n".join(
        f'            <Value Key="{key}" Type="String" Passes="0">{escape(value)}</Value>'
        for key, value in fields.items()
    )
    return f"""      <Request Url={quoteattr(url)} MessagePasses="0" Message="" RequestContentType=""
               RequestEncoding="Json" RequestType="Post" ResponseType="Json">
        <Headers><Value Key="Authorization">Bearer {escape(token)}</Value></Headers>
        <PostValues>
          <Object Key="">
{values}
          </Object>
        </PostValues>
      </Request>"""
