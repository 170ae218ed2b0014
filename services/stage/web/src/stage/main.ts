import type { Hello, RoomStatus, StageFrame } from "../events/stage_pb";
import type { Decision, Turn } from "../events/turn_pb";
import { Api } from "../room/api";
import { Connection, type ConnectionState } from "../room/connection";
import { deed, presentable, viewerName } from "../room/decisions";
import { byId, el } from "../room/dom";
import { switchLanguage, translate } from "../room/language";
import { Token } from "../room/token";
import { cueOf } from "./director";
import { arkitName } from "./face";
import { Feed } from "./feed";
import { Gifts } from "./gifts";
import { shown, standing } from "./label";
import { chosenLayout, LAYOUTS } from "./layout";
import { Performance } from "./performance";
import type { Probe, Report } from "./probe";
import type { Area } from "./scene";
import { Show } from "./show";
import { Refused } from "./vrm_file";
import { Waiting } from "./waiting";
import { refusal, Wardrobe } from "./wardrobe";
import { say } from "./words";
import { BadWorld, loadWorld, NIGHT, type World } from "./world";
import { Writer } from "./writer";

/** The AI label (GB 45438-2025), shown as long as the page is; the server may word it differently, not remove it. */
const LABEL = "数字人主播 · 内容由AI生成";
const WORDS_EVERY_MS = 50;
const REPORT_EVERY_MS = 1000;
/** How long a notice stands, and how much longer for each of its characters. */
const NOTICE_MS = 3000;
const NOTICE_READ_MS = 50;
/** A room sends idle motion ten times a second. */
const SILENCE_MS = 5000;

/** Decisions that come so soon after the hello tell of what was before. Seconds. */
const HISTORY_S = 0.5;
/** So many of those who are next are named. */
const NEXT_NAMED = 2;

/** Where she is to be seen in layouts without the panel: a share of the window, below the label, from head to waist. */
const PLACES = {
  vertical: { top: 0.235, height: 0.78 },
  wide: { top: 0.1, height: 0.86 },
  bare: { top: 0.15, height: 0.83 },
} as const;

const room = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const label = byId("label-text", HTMLElement);
const state = byId("state", HTMLElement);
const whom = byId("whom", HTMLElement);
const caption = byId("caption", HTMLElement);
const sound = byId("sound", HTMLButtonElement);
const tap = byId("tap", HTMLButtonElement);
const notice = byId("notice", HTMLElement);
const panel = byId("panel", HTMLElement);
const next = byId("next", HTMLElement);
const { layout, unknown: unknownLayout } = chosenLayout(location.search);
document.documentElement.dataset["layout"] = layout;
const feed = new Feed(byId("feed", HTMLElement));
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const gifts = new Gifts(byId("air", HTMLElement), byId("banners", HTMLElement), () => calm.matches, Math.random);
const waiting = new Waiting();

let performance: Performance | undefined;
let show: Show | undefined;
let jawOpen = -1;
let mouthClose = -1;
let status: RoomStatus | undefined;
/** Media sample before which all is history. */
let fresh = 0;
let turn: Turn | undefined;
let cue = cueOf(undefined);
let noticeTimer: ReturnType<typeof setTimeout> | undefined;

function take(frame: StageFrame): void {
  const { content } = frame;
  if (content.case === "hello") {
    fresh = Number(frame.nowSample) + HISTORY_S * content.value.sampleRate;
    waiting.clear();
    next.hidden = true;
    greet(content.value);
  }
  performance?.take(frame);
  if (content.case === "decision") decided(content.value, Number(frame.nowSample) < fresh);
  if (content.case === "status") showStatus(content.value);
}

/** @param old it was decided before this page was there */
function decided(decision: Decision, old: boolean): void {
  feed.decided(decision);
  if (decision.event && presentable(decision)) gifts.take(decision.event, old);
  waiting.decided(decision);
  const { viewers } = waiting;
  const names = viewers.slice(0, NEXT_NAMED).join(say("comma"));
  next.hidden = viewers.length === 0;
  next.textContent = viewers.length > NEXT_NAMED ? say("nextMore", names, String(viewers.length)) : say("next", names);
}

function greet(hello: Hello): void {
  label.textContent = hello.label.trim() || LABEL;
  const shapes = hello.faceNames.map(arkitName);
  [jawOpen, mouthClose] = [shapes.indexOf("jawOpen"), shapes.indexOf("mouthClose")];
  if (hello.status) showStatus(hello.status);
  if (performance?.clock.rate === hello.sampleRate) {
    performance.restart(hello);
    return;
  }
  const made = new Performance(hello, showSound);
  performance = made;
  try {
    show ??= new Show(byId("view", HTMLCanvasElement), hello.faceNames, hello.joints, (passed) => made.show(passed), {
      world,
      bare: layout === "bare",
      area,
      cue: () => cue,
    });
    show.refused = (reason) => tell(refusal(reason));
  } catch {
    document.body.classList.add("blind");
    tell(say("noWebGl"));
  }
  showSound();
}

/** The part of the window that the words leave to her. */
function area(): Area {
  const { innerWidth: width, innerHeight: height } = window;
  if (layout !== "page") {
    const place = PLACES[layout];
    return { x: 0, y: height * place.top, width, height: height * place.height };
  }
  const beside = panel.getBoundingClientRect();
  if (beside.left > width / 3) return { x: 0, y: height * 0.16, width: beside.left, height: height * 0.82 };
  return { x: 0, y: height * 0.15, width, height: height * 0.72 };
}

function showState(connection: ConnectionState): void {
  state.dataset["state"] = connection;
  const held = status?.panic ? "panic" : status?.muted ? "muted" : connection;
  state.textContent = say(connection === "live" ? held : connection);
}

function showStatus(now: RoomStatus): void {
  status = now;
  showState(connection.state);
}

function showSound(): void {
  const now = performance?.sound.state ?? "blocked";
  tap.hidden = now !== "blocked" || performance === undefined;
  sound.dataset["state"] = now;
  sound.setAttribute("aria-pressed", String(now === "on"));
  const words = say(now === "on" ? "soundOff" : "soundOn");
  sound.setAttribute("aria-label", words);
  sound.title = words;
}

function showWords(): void {
  const sample = performance?.heardSample() ?? -1;
  const words = performance?.program.words(sample);
  caption.hidden = words === undefined;
  if (words) {
    const spoken = Math.round(words.text.length * words.spoken);
    if (caption.textContent !== words.text || Number(caption.dataset["spoken"]) !== spoken) {
      caption.replaceChildren(el("span", "", words.text.slice(0, spoken)), words.text.slice(spoken));
      caption.dataset["spoken"] = String(spoken);
    }
  }
  const now = performance?.program.turn(sample);
  if (now?.turnId !== turn?.turnId) showTurn(now);
  cue = cueOf(now, words);
}

function showTurn(now: Turn | undefined): void {
  turn = now;
  const events = now?.cause.case === "audience" ? now.cause.value.events : [];
  feed.answering(events);
  const [first] = events;
  whom.hidden = first === undefined;
  if (!first) return;
  const what = first.kind.case === "chat" || first.kind.case === "superChat" ? "answering" : "thanking";
  const names = [...new Set(events.map(viewerName))].join("、");
  whom.replaceChildren(el("em", "", say(what)), el("b", "", names), el("span", "", deed(first)));
}

/** The scene that the address asks for. One that cannot be shown is told of, and it is night. */
async function chosenWorld(): Promise<World> {
  const name = new URLSearchParams(location.search).get("scene");
  if (!name) return NIGHT;
  try {
    return await loadWorld(name);
  } catch (reason) {
    if (!(reason instanceof BadWorld)) throw reason;
    tell(say("badScene", reason.message));
    return NIGHT;
  }
}

function tell(words: string): void {
  clearTimeout(noticeTimer);
  notice.textContent = words;
  notice.hidden = false;
  noticeTimer = setTimeout(
    () => {
      notice.hidden = true;
    },
    NOTICE_MS + NOTICE_READ_MS * words.length,
  );
}

function report(): void {
  if (!performance) return;
  const played: Report["played"] = {
    epoch: performance.voice.epoch,
    sample: Math.round(performance.heardSample()),
    stopped_at_ms: performance.stoppedAt,
    drift_ms: performance.clock.drift * 1000,
  };
  connection.send({ played, label_shown: shown(standing(label)) } satisfies Report);
}

function wakeSound(): void {
  if (performance?.sound.state === "blocked") performance.sound.resume();
}

const value = (place: number) => performance?.pose.face[place] ?? 0;
const probe: Probe = {
  get connection() {
    return connection.state;
  },
  get sound() {
    return performance?.sound.state ?? "blocked";
  },
  get energy() {
    return performance?.sound.energy() ?? 0;
  },
  get jawOpen() {
    return value(jawOpen);
  },
  get mouth() {
    return Math.max(0, value(jawOpen) - value(mouthClose));
  },
  get shownSample() {
    return performance?.shownSample ?? -1;
  },
  get byHerself() {
    return performance?.byHerself ?? 0;
  },
  get heardSample() {
    return performance?.heardSample() ?? -1;
  },
  get epoch() {
    return performance?.voice.epoch ?? 0;
  },
  get driftMs() {
    return (performance?.clock.drift ?? 0) * 1000;
  },
  get stoppedAtMs() {
    return performance?.stoppedAt ?? null;
  },
  get lateChunks() {
    return performance?.voice.late ?? 0;
  },
  get framesShown() {
    return show?.frames ?? 0;
  },
  get figure() {
    return show?.figure ?? null;
  },
  get missing() {
    return show?.missing ?? [];
  },
  get shot() {
    return show?.shot ?? "medium";
  },
  get quality() {
    return show?.quality ?? "full";
  },
  get turnId() {
    return turn?.turnId ?? "";
  },
};

translate(say);
label.textContent = LABEL;
document.title = say("title");
const api = new Api(new Token("messages"));
new Writer(api, room, (id, name, words) => feed.sent(id, name, words), tell);
new Wardrobe(
  (file) => (show ? show.wear(file) : Promise.reject(new Refused("noWebGl"))),
  () => void show?.wearHerOwn(),
  tell,
);
notice.addEventListener("click", () => {
  notice.hidden = true;
});
byId("language", HTMLButtonElement).addEventListener("click", switchLanguage);
tap.addEventListener("click", wakeSound);
// Any touch or key is a permission; the browser decides which it accepts.
for (const gesture of ["pointerup", "keydown"]) document.addEventListener(gesture, wakeSound, { capture: true });
document.addEventListener("visibilitychange", wakeSound);
sound.addEventListener("click", () => {
  if (performance?.sound.state !== "blocked" && performance) performance.sound.muted = performance.sound.state === "on";
});
if (unknownLayout !== undefined) tell(say("unknownLayout", unknownLayout, LAYOUTS.join(", ")));
const world = await chosenWorld();
const connection = new Connection(`/rooms/${encodeURIComponent(room)}/stream`, take, showState, SILENCE_MS);
showState(connection.state);
setInterval(() => {
  performance?.tick();
  showWords();
}, WORDS_EVERY_MS);
setInterval(report, REPORT_EVERY_MS);
window.lydia = probe;
