// Shows this browser to the device check and answers with a telemetry id, called as Stytch's script is.
// The fingerprint is of what belongs to the hardware and not to one visit: processor, memory, screen, graphics.
async function GetTelemetryID({ publicToken, submitURL }) {
  const canvas = document.createElement("canvas").getContext("webgl");
  const graphics = canvas?.getExtension("WEBGL_debug_renderer_info");
  const hardware = [
    navigator.platform,
    navigator.hardwareConcurrency,
    navigator.deviceMemory,
    screen.width,
    screen.height,
    screen.colorDepth,
    graphics && canvas.getParameter(graphics.UNMASKED_RENDERER_WEBGL),
  ].join("|");
  let hash = 0xcbf29ce484222325n; // FNV-1a: plain pages have no crypto.subtle
  for (const byte of new TextEncoder().encode(hardware)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  const answer = await fetch(submitURL, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      public_token: publicToken,
      hardware_fingerprint: `hw-${hash.toString(16)}`,
      device_type: /Mobi/.test(navigator.userAgent) ? "MOBILE" : "DESKTOP",
      is_automated: navigator.webdriver === true,
    }),
  });
  return (await answer.json()).telemetry_id;
}
