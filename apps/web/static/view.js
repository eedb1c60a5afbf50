"use strict";
// The live view. Everything that is shown comes over one WebSocket as data and is set as text, never as markup.

const byId = (id) => document.getElementById(id);
const [picture, frame, label, mark, answers] = ["picture", "frame", "label", "point", "answers"].map(byId);
const MAX_CARDS = 12, STEP = 0.02, BIG_STEP = 0.1, FIRST_PAUSE = 500, LONGEST_PAUSE = 5000;
const QUESTION = "What is this?";
const MARK_STAYS = 1500; // ms after a question
let socket = null, pause = FIRST_PAUSE, point = null, last = [0.5, 0.5], followed = null;

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// ---- the connection

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => { pause = FIRST_PAUSE; };
  socket.onmessage = ({ data }) => typeof data === "string" ? receive(JSON.parse(data)) : show(data);
  socket.onclose = () => {
    showState("gone", "the device does not answer; trying again");
    setTimeout(connect, pause);
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  };
}

function send(message) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  else hint("The device does not answer.");
}

function receive(message) {
  ({
    hello: () => { byId("talk").hidden = !message.voice; },
    health: () => showHealth(message),
    voice: () => showVoice(message),
    started: () => cardOf(message),
    said: () => { cardOf(message).querySelector(".answer").textContent = message.text; },
    searched: () => addSearch(cardOf(message), message.search),
    answered: () => showAnswer(message),
    failed: () => showFailure(message),
    noticed: () => hint(`You look at: ${message.name}`),
    refused: () => hint(message.reason),
  })[message.kind]?.();
}

// ---- the picture

async function show(data) {
  const headBytes = new DataView(data).getUint32(0);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, headBytes)));
  try {
    const bitmap = await createImageBitmap(new Blob([new Uint8Array(data, 4 + headBytes)], { type: "image/jpeg" }));
    if (frame.width !== bitmap.width || frame.height !== bitmap.height) {
      [frame.width, frame.height] = [bitmap.width, bitmap.height];
    }
    frame.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
  } finally {
    send({ kind: "shown" });
  }
  followed = head.box;
  frame.dataset.masked = String(head.box !== null);
  byId("forget").hidden = head.id === null;
  label.hidden = !head.box || !head.label;
  if (!label.hidden) placeLabel(head);
  if (head.lost) hint(`${head.label || "The thing"} is out of sight.`);
}

function placeLabel(head) {
  const [width, height] = [picture.clientWidth, picture.clientHeight];
  const shown = drawnArea();
  label.textContent = head.label;
  label.style.left = `${Math.max(0, Math.min(shown.left + head.box[0] * shown.width, width - label.offsetWidth))}px`;
  const above = shown.top + head.box[1] * shown.height - label.offsetHeight - 4;
  const below = Math.min(shown.top + head.box[3] * shown.height + 4, height - label.offsetHeight);
  label.style.top = `${above >= 0 ? above : below}px`;
}

function drawnArea() { // the picture inside its element, which may leave bars beside it
  const scale = Math.min(frame.clientWidth / frame.width, frame.clientHeight / frame.height);
  const [width, height] = [frame.width * scale, frame.height * scale];
  return { left: (frame.clientWidth - width) / 2, top: (frame.clientHeight - height) / 2, width, height };
}

function setPoint(x, y) {
  const within = (value) => Math.min(1, Math.max(0, value));
  point = x === null ? null : [within(x), within(y)];
  mark.hidden = point === null;
  if (point === null) return;
  last = point;
  const shown = drawnArea();
  mark.style.left = `${shown.left + point[0] * shown.width}px`;
  mark.style.top = `${shown.top + point[1] * shown.height}px`;
}

picture.addEventListener("click", (event) => {
  const box = frame.getBoundingClientRect(), shown = drawnArea();
  const x = (event.clientX - box.left - shown.left) / shown.width, y = (event.clientY - box.top - shown.top) / shown.height;
  if (x < 0 || x > 1 || y < 0 || y > 1) return;
  setPoint(x, y);
  ask();
});

picture.addEventListener("keydown", (event) => {
  const step = event.shiftKey ? BIG_STEP : STEP, [x, y] = last;
  const moves = { ArrowLeft: [x - step, y], ArrowRight: [x + step, y], ArrowUp: [x, y - step], ArrowDown: [x, y + step] };
  if (moves[event.key]) {
    setPoint(...moves[event.key]);
    say(`${Math.round(100 * point[0])} percent from the left, ${Math.round(100 * point[1])} from the top`);
  } else if (event.key === "Enter") {
    if (point === null) setPoint(...last);
    ask();
  } else if (event.key === "Escape") {
    setPoint(null);
    say("no point");
  } else return;
  event.preventDefault();
});

// ---- asking

function ask() {
  const field = byId("question");
  send({ kind: "ask", question: field.value.trim() || QUESTION, point });
  field.value = "";
  point = null; // the next question may mean something else
  setTimeout(() => { if (point === null) mark.hidden = true; }, MARK_STAYS);
}

byId("ask").addEventListener("submit", (event) => { event.preventDefault(); ask(); });
byId("forget").addEventListener("click", () => send({ kind: "forget" }));
byId("talk").addEventListener("click", ({ target }) =>
  send({ kind: "talk", pressed: target.getAttribute("aria-pressed") !== "true" }));

function showVoice({ state, cause }) {
  const words = { listening: "listening: speak now", thinking: "thinking", speaking: "speaking", deaf: `no microphone: ${cause}` };
  byId("talk").setAttribute("aria-pressed", String(state === "listening"));
  byId("talk").textContent = state === "listening" ? "Done" : "Speak";
  if (words[state]) hint(`Voice: ${words[state]}.`);
}

// ---- answers

function cardOf({ id, question }) {
  const known = byId(`card-${id}`);
  if (known) return known;
  const card = byId("card").content.firstElementChild.cloneNode(true);
  card.id = `card-${id}`;
  card.className = "working";
  card.querySelector(".question").textContent = question || "";
  card.querySelector(".cancel").addEventListener("click", () => send({ kind: "cancel", id }));
  answers.prepend(card);
  byId("nothing").hidden = true;
  hint("");
  while (answers.children.length > MAX_CARDS) answers.lastElementChild.remove();
  return card;
}

function addSearch(card, search) {
  const shown = element("div", "search");
  const found = search.iou !== null ? `, cut out as “${search.words || "…"}”, predicted overlap ${search.iou.toFixed(2)}`
    : search.words ? `, but nothing was cut out for “${search.words}” that could be trusted: the whole frame` : "";
  shown.append(element("p", "soft", `Searched with ${search.name}${found}`));
  for (const hit of search.hits) shown.append(hitOf(hit));
  if (!search.hits.length) shown.append(element("p", "soft", "nothing found"));
  card.querySelector(".searches").append(shown);
}

function hitOf(hit) {
  const row = element("div", "hit"), words = element("div"), first = element("div");
  if (hit.thumbnail) row.append(pictureOf(hit.thumbnail, ""));
  first.append(element("strong", "entity", hit.entity), " ", element("span", "score", hit.score.toFixed(2)), " ",
    element("span", "source soft", hit.source));
  words.append(first, ...hit.facts.map((fact) => element("div", "soft", fact)));
  row.append(words);
  return row;
}

function pictureOf(source, description) {
  const shown = element("img");
  [shown.src, shown.alt] = [source, description];
  return shown;
}

function showAnswer(message) {
  const card = cardOf(message), part = (name) => card.querySelector(name);
  card.className = message.abstained ? "abstained" : "";
  part(".question").textContent = message.question;
  part(".answer").textContent = message.answer;
  part(".sure").textContent = `confidence ${message.confidence.toFixed(2)}, ${message.total.toFixed(0)} ms`;
  part(".cancel").remove();
  part(".searches").replaceChildren();
  for (const search of message.searches) addSearch(card, search);
  if (!message.searches.length) part(".searches").append(element("p", "soft", "Answered without a search."));
  Object.assign(part(".overlay"), { src: message.overlay, alt: "The frame that was asked about, with what was cut out", hidden: false });
  part(".evidence").classList.add("with-overlay");
  part("code").textContent = message.trace;
  showTimings(card, message);
  showMemory(part(".memory"), message.memory);
  if (message.cloud) showCloud(part(".cloud"), message.cloud);
  say(`${message.question} ${message.answer}`);
}

function showTimings(card, message) {
  for (const [stage, ms, percent] of message.bars) {
    const bar = element("div", `stage-${stage}`), entry = element("span"), key = element("i", `key stage-${stage}`);
    bar.style.width = `${percent}%`;
    entry.append(key, `${stage} ${ms.toFixed(0)} ms`);
    card.querySelector(".bar").append(bar);
    card.querySelector(".legend").append(entry);
  }
}

function showMemory(place, memory) {
  for (const one of memory) {
    const row = element("div", "hit"), words = element("div");
    if (one.picture) row.append(pictureOf(one.picture, `where ${one.entity} was`));
    words.append(element("strong", "", one.entity), element("div", "soft", one.when), element("div", "", one.words));
    row.append(words);
    place.append(row);
  }
}

function showCloud(place, cloud) {
  place.hidden = false;
  place.append(element("p", "soft", `${cloud.model} at ${cloud.host}, not this device, says:`),
    element("p", "", cloud.words || `nothing (${cloud.trouble})`));
}

function showFailure(message) {
  const card = cardOf(message);
  card.className = "failed";
  card.querySelector(".answer").textContent = message.reason;
  for (const part of card.querySelectorAll(".cancel, details")) part.remove();
  say(`${message.question}: ${message.reason}`);
}

// ---- how it is

function showState(state, words) {
  byId("state").dataset.state = state;
  if (byId("state-words").textContent !== words) byId("state-words").textContent = words;
  const away = state !== "streaming" && state !== "ended";
  picture.classList.toggle("away", away);
  byId("waiting").hidden = !away;
  byId("waiting").textContent = words;
}

function showHealth(health) {
  const words = { connecting: "waiting for the camera", streaming: "streaming", stalled: "the camera gives no pictures",
    lost: "camera lost, trying again", ended: "the clip has ended" };
  showState(health.state, `${words[health.state]}${health.state === "lost" && health.cause ? ` (${health.cause})` : ""}`);
  const figures = health.figures;
  byId("figures").textContent = [
    `camera ${figures.capture_fps.toFixed(0)} fps`, `seen ${figures.perceived_fps.toFixed(0)} fps`,
    figures.overlay_ms === null ? "" : `overlay ${figures.overlay_ms.toFixed(0)} ms`,
    `${figures.memory_mb.toFixed(0)} MB`, figures.hottest_c === null ? "" : `${figures.hottest_c.toFixed(0)} °C`,
    figures.level ? `slowed down (${figures.level})` : "",
  ].filter(Boolean).join(", ");
  const alarms = health.alarms.map((alarm) => alarm.message).join("; ");
  byId("alarms").hidden = !alarms;
  if (byId("alarms").textContent !== alarms) byId("alarms").textContent = alarms;
}

function hint(words) { byId("hint").textContent = words || "Type a question, or tap the thing you mean."; }
function say(words) { byId("spoken").textContent = words; }

new ResizeObserver(() => { if (point) setPoint(...point); if (followed && !label.hidden) placeLabel({ label: label.textContent, box: followed }); }).observe(picture);
connect();
