// Asks the gateway as any program would, and shows what it said: the stream as it comes, or the refusal with its reason.
"use strict";

const form = document.getElementById("ask");
const talk = document.getElementById("talk");
const messages = [];

class Broken extends Error {} // the gateway itself says, in the middle of its answer, that it cannot go on

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const prompt = form.prompt.value.trim();
  if (!prompt) return;
  const button = form.querySelector("button");
  button.disabled = true;
  add("asked", prompt);
  form.prompt.value = "";
  messages.push({ role: "user", content: prompt });
  const item = add("answered", "");
  item.setAttribute("aria-busy", "true");
  try {
    await ask(item);
  } catch (error) {
    messages.pop();
    refuse(item, error instanceof Broken ? error.message : "the connection broke off");
  } finally {
    item.removeAttribute("aria-busy");
    button.disabled = false;
    form.prompt.focus();
  }
});

form.prompt.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});

async function ask(item) {
  const headers = { "content-type": "application/json", "x-editor-name": "playground" };
  if (form.key.value.trim()) headers.authorization = `Bearer ${form.key.value.trim()}`;
  if (form.team?.value) headers["x-organization-id"] = form.team.value;
  const body = JSON.stringify({ model: form.model.value, messages, stream: true, max_tokens: 256 });
  const answer = await fetch("/v1/chat/completions", { method: "POST", headers, body });
  if (!answer.ok) {
    messages.pop();
    refuse(item, await reasonOf(answer));
    return;
  }
  const text = await readStream(answer.body, item);
  messages.push({ role: "assistant", content: text });
  say(item, `200, answered by ${answer.headers.get("x-served-model") ?? form.model.value}`);
}

async function readStream(body, item) {
  const told = document.createElement("span");
  item.append(told);
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return told.textContent;
    held += value;
    const events = held.split("\n\n");
    held = events.pop();
    for (const event of events) take(event, told);
  }
}

function take(event, told) {
  const line = event.split("\n").find((one) => one.startsWith("data:"));
  const data = line?.slice(5).trim();
  if (!data || data === "[DONE]") return;
  const piece = JSON.parse(data);
  if (piece.error) throw new Broken(`${piece.error.code} · ${piece.error.message}`);
  told.textContent += piece.choices?.[0]?.delta?.content ?? "";
}

async function reasonOf(answer) {
  const error = (await answer.json().catch(() => ({}))).error ?? {};
  const parts = [`${answer.status} ${error.code ?? ""}`.trim(), error.message ?? answer.statusText];
  if (error.challenge_type) parts.push(`asked for: ${error.challenge_type}`);
  const wait = answer.headers.get("retry-after");
  if (wait) parts.push(`try again in ${wait} s`);
  return parts.join(" · ");
}

function add(kind, text) {
  const item = document.createElement("li");
  item.className = kind;
  item.textContent = text;
  talk.append(item);
  item.scrollIntoView({ block: "nearest" });
  return item;
}

function refuse(item, reason) {
  item.className = "refused";
  say(item, reason);
}

function say(item, text) {
  const line = document.createElement("span");
  line.className = "said";
  line.textContent = text;
  item.append(line);
}
