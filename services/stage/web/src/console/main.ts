import { Mode } from "../events/control_pb";
import type { RoomStatus, StageFrame } from "../events/stage_pb";
import type { Turn } from "../events/turn_pb";
import { type Action, Api, Refused } from "../room/api";
import { Connection, type ConnectionState } from "../room/connection";
import { deed, viewerName } from "../room/decisions";
import { byId, el } from "../room/dom";
import { switchLanguage, translate } from "../room/language";
import { Token } from "../room/token";
import { Board } from "./board";
import { DecisionList, decidedItem, waitingItem } from "./lists";
import { say } from "./words";

/** The lists are drawn at most so often; a burst of decisions must not keep a phone busy. */
const DRAW_EVERY_MS = 250;
/** A second tap of a frightened hand must not release what the first one stopped. */
const RELEASE_AFTER_MS = 1000;
/** Until the console asks again whether it may begin. */
const RETRY_MS = 5000;
const DRAFT = "lydia.draft";
/** Lists are fetched whole so often, in case a decision was missed. */
const RESYNC_MS = 10_000;
const NOTICE_MS = 2500;
/** The console's stream carries no motion, so it may be quiet; a lost server shows in the calls. */
const SILENCE_MS = 600_000;
const FALLBACK_ROOM = "lydia";

const MODES = [
  [Mode.AUTO, "auto"],
  [Mode.APPROVE, "approve"],
  [Mode.TAKEOVER, "takeover"],
] as const;

const rooms = byId("room", HTMLSelectElement);
const state = byId("state", HTMLElement);
const panic = byId("panic", HTMLButtonElement);
const mute = byId("mute", HTMLButtonElement);
const notice = byId("notice", HTMLElement);
const login = byId("login", HTMLDialogElement);
const board = new Board();
const waiting = new DecisionList(byId("waiting", HTMLElement), (decision) =>
  waitingItem(
    decision,
    (event_id) => void act({ action: "approve", event_id }),
    (event_id) => void act({ action: "skip", event_id }),
  ),
);
const recent = new DecisionList(byId("recent", HTMLElement), decidedItem);

let drawing = false;
let watching = false;
let status: RoomStatus | undefined;
/** The turn that is shown as running: what "skip this" means, even when the next one begins under the finger. */
let running = "";
let connection: ConnectionState = "connecting";
let stoppedAt = Number.NEGATIVE_INFINITY;
let noticeTimer: ReturnType<typeof setTimeout> | undefined;

function take({ content }: StageFrame): void {
  if (content.case === "hello") {
    if (content.value.status) showStatus(content.value.status);
    void call(resync);
  } else if (content.case === "decision") {
    board.take(content.value);
    draw();
  } else if (content.case === "status") {
    showStatus(content.value);
  } else if (content.case === "performing") {
    showTurn(content.value.speaking ? content.value.turn : undefined);
  } else if (content.case === "caption") {
    byId("caption", HTMLElement).textContent = content.value.text;
  }
}

function draw(): void {
  if (drawing) return;
  drawing = true;
  setTimeout(() => {
    drawing = false;
    const queue = board.waiting;
    waiting.show(queue);
    recent.show(board.recent);
    byId("count", HTMLElement).textContent = queue.length ? String(queue.length) : "";
    byId("queue-empty", HTMLElement).hidden = queue.length > 0;
    byId("recent-empty", HTMLElement).hidden = board.recent.length > 0;
  }, DRAW_EVERY_MS);
}

/** Tells when a part of her goes on with another rung: a step down is nothing to be found out by chance. */
function showSteps(before: RoomStatus, now: RoomStatus): void {
  const steps = [
    [say("chatRung"), before.chatRung, now.chatRung],
    [say("speechRung"), before.speechRung, now.speechRung],
    [say("motionRung"), before.motionRung, now.motionRung],
  ].filter(([, old, fresh]) => old !== "" && old !== fresh);
  if (steps.length > 0) tell(steps.map(([part, old, fresh]) => `${part}: ${old} → ${fresh}`).join(" · "));
}

function showStatus(fresh: RoomStatus): void {
  if (status) showSteps(status, fresh);
  if (fresh.panic && !status?.panic) stoppedAt = performance.now();
  status = fresh;
  document.body.classList.toggle("panicking", fresh.panic);
  const [name, hint] = panic.children;
  if (name) write(name, say(fresh.panic ? "release" : "panic"));
  if (hint) write(hint, say(fresh.panic ? "releaseHint" : "panicHint"));
  write(mute, say(fresh.muted ? "unmute" : "mute"));
  mute.classList.toggle("on", fresh.muted);
  showState();
  byId("says", HTMLElement).replaceChildren(...fresh.says.map((text) => el("li", "", text)));
  byId("says-waiting", HTMLElement).hidden = fresh.says.length === 0;
  for (const [mode, name] of MODES) {
    const choice = byId(`mode-${name}`, HTMLInputElement);
    choice.checked = mode === fresh.mode;
    if (choice.checked) byId("mode-hint", HTMLElement).textContent = say(`${name}Hint`);
  }
  const facts: readonly [string, string][] = [
    [say("chatRung"), fresh.chatRung],
    [say("speechRung"), fresh.speechRung],
    [say("motionRung"), fresh.motionRung],
    [say("renderers"), String(fresh.renderers)],
    [say("epoch"), String(fresh.epoch)],
  ];
  byId("facts", HTMLElement).replaceChildren(
    ...facts.map(([name, value]) => el("div", "", el("dt", "", name), el("dd", "", value || say("none")))),
  );
}

/** Changes an element's words only where they are others: what is being pressed stays as it is. */
function write(element: Element, words: string): void {
  if (element.textContent !== words) element.textContent = words;
}

/** Whether the server is there, and what keeps her silent: read out when it changes. */
function showState(): void {
  state.dataset["state"] = connection;
  const held = status?.panic ? [say("stopped")] : status?.muted ? [say("muted")] : [];
  write(state, [say(connection), ...held].join(" · "));
}

function showTurn(turn: Turn | undefined): void {
  running = turn?.turnId ?? "";
  byId("now", HTMLElement).classList.toggle("speaking", turn !== undefined);
  byId("skip-now", HTMLButtonElement).disabled = turn === undefined;
  byId("caption", HTMLElement).textContent = turn ? "" : say("silent");
  const cause = turn?.cause;
  byId("cause", HTMLElement).textContent =
    cause?.case === "audience"
      ? audienceCause(cause.value.events.map(viewerName), deed(cause.value.events[0]))
      : cause?.case === "operator"
        ? say("operatorTurn")
        : cause?.case === "silence"
          ? say("idleTalk")
          : "";
}

function audienceCause(names: readonly string[], what: string): string {
  const [first = "", ...others] = new Set(names);
  const whom = others.length > 0 ? say("moreViewers", first, String(others.length)) : first;
  return `${say("answers", whom)}: ${what}`;
}

/** Does what the operator asks for. Returns whether it was done; when not, the buttons show how things still stand. */
async function act(action: Action): Promise<boolean> {
  const done = await call(async () => {
    const told = await api.control(rooms.value, action);
    tell(say(told ? "done" : "untold"), !told);
  });
  if (!done && status) showStatus(status);
  return done;
}

/** Makes a call; what goes wrong is shown, a missing token asked for. Returns whether it worked. */
async function call(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (reason) {
    if (!(reason instanceof Refused)) throw reason;
    if (reason.status === 401) askForToken();
    else if (reason.status === 0) tell(say("unreachable"), true);
    else if (reason.status === 409) tell(say("notNow"), true);
    else if (reason.status === 422) tell(say("unsayable"), true);
    else tell(say("failed", String(reason.status)), true);
    return false;
  }
}

async function resync(): Promise<void> {
  const { waiting, recent, status: fresh } = await api.queue(rooms.value);
  board.replace(waiting, recent);
  draw();
  if (fresh) showStatus(fresh);
}

async function listRooms(): Promise<void> {
  const open = await api.rooms();
  const chosen = rooms.value || new URLSearchParams(location.search).get("room") || open[0] || FALLBACK_ROOM;
  const names = [...new Set([chosen, ...open])].sort();
  if (names.join() !== [...rooms.options].map((option) => option.value).join()) {
    rooms.replaceChildren(...names.map((name) => new Option(name, name)));
  }
  rooms.value = chosen;
  byId("stage", HTMLAnchorElement).href = `/rooms/${encodeURIComponent(chosen)}`;
}

function askForToken(): void {
  if (login.open) return;
  byId("login-wrong", HTMLElement).hidden = token.value === "";
  login.showModal();
}

function tell(words: string, wrong = false): void {
  clearTimeout(noticeTimer);
  notice.textContent = words;
  notice.classList.toggle("wrong", wrong);
  notice.hidden = false;
  noticeTimer = setTimeout(() => {
    notice.hidden = true;
  }, NOTICE_MS);
}

/** Asks the server for the rooms, and with them whether the token is right; then watches the chosen room. */
async function start(): Promise<void> {
  if (!(await call(listRooms))) {
    if (!login.open) setTimeout(() => void start(), RETRY_MS);
    return;
  }
  watching = true;
  new Connection(
    `/rooms/${encodeURIComponent(rooms.value)}/stream?content=words`,
    take,
    (now) => {
      connection = now;
      showState();
    },
    SILENCE_MS,
  );
  setInterval(() => void call(async () => Promise.all([resync(), listRooms()]).then(() => undefined)), RESYNC_MS);
}

translate(say);
document.title = say("title");
const token = new Token("operator");
const api = new Api(token);
showTurn(undefined);
byId("language", HTMLButtonElement).addEventListener("click", switchLanguage);
rooms.addEventListener("change", () => {
  location.search = new URLSearchParams({ room: rooms.value }).toString();
});
panic.addEventListener("click", () => {
  const released = status?.panic ?? false;
  if (!released || performance.now() - stoppedAt > RELEASE_AFTER_MS) void act({ action: "panic", released });
});
mute.addEventListener("click", () => void act({ action: "mute", muted: !status?.muted }));
byId("skip-now", HTMLButtonElement).addEventListener("click", () => void act({ action: "skip", turn_id: running }));
for (const [, name] of MODES) {
  byId(`mode-${name}`, HTMLInputElement).addEventListener("change", () => void act({ action: "mode", mode: name }));
}
// What is half written outlives another language and another room.
const box = byId("say-text", HTMLTextAreaElement);
box.value = sessionStorage.getItem(DRAFT) ?? "";
box.addEventListener("input", () => sessionStorage.setItem(DRAFT, box.value));
byId("say", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  const text = box.value.trim();
  if (text === "") return;
  void act({ action: "say", text }).then((done) => {
    if (!done || box.value.trim() !== text) return;
    box.value = "";
    sessionStorage.removeItem(DRAFT);
  });
});
// Without a token nothing here works, so Esc leaves the question where it is.
login.addEventListener("cancel", (event) => event.preventDefault());
byId("login-form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  token.value = byId("login-token", HTMLInputElement).value.trim();
  login.close();
  // A token that was refused later on: everything begins anew with the right one.
  if (watching) location.reload();
  else void start();
});
void start();
