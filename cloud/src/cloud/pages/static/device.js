// Shows the browser to the device check, whose script is loaded before this one, and sends the id that it gives along
// with whatever way in is chosen. Where the check does not answer, the way in works all the same.
"use strict";

const WAIT_MS = 2000;
const check = document.getElementById("device-check").dataset;
const showing = Promise.race([
  Promise.resolve().then(() => GetTelemetryID({ publicToken: check.publicToken, submitURL: check.submitUrl })),
  new Promise((resolve) => setTimeout(resolve, WAIT_MS)),
]).catch(() => undefined);

showing.then((id) => {
  if (!id) return;
  for (const link of document.querySelectorAll("a[href^='/auth/with/']")) {
    const address = new URL(link.href);
    address.searchParams.set("telemetry_id", id);
    link.href = address.href;
  }
});

for (const form of document.querySelectorAll("form[data-tells-device]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const id = await showing;
    if (id) {
      const field = Object.assign(document.createElement("input"), { type: "hidden", name: "telemetry_id", value: id });
      form.append(field);
    }
    form.submit();
  });
}
