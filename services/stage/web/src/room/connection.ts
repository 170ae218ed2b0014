import { fromBinary } from "@bufbuild/protobuf";
import { type StageFrame, StageFrameSchema } from "../events/stage_pb";

/** "connecting": never been connected. "live": frames come. "lost": trying again. */
export type ConnectionState = "connecting" | "live" | "lost";

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 8_000;

/** Wait before the attempt after `failures` failed ones: doubling, with a random half so that a crowd does not return
 *  at once. Milliseconds. */
export function retryDelay(failures: number, random: number): number {
  const full = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures);
  return full / 2 + (full / 2) * random;
}

/** A room's performance over a WebSocket that comes back by itself. */
export class Connection {
  readonly #url: string;
  readonly #received: (frame: StageFrame) => void;
  readonly #changed: (state: ConnectionState) => void;
  readonly #silence: number;
  #socket: WebSocket | undefined;
  #state: ConnectionState = "connecting";
  #failures = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param path of the stream, on this page's own server
   * @param received gets every frame; after each return of the connection the first is a hello
   * @param silence without a message for so many milliseconds the connection is taken for dead
   */
  constructor(
    path: string,
    received: (frame: StageFrame) => void,
    changed: (state: ConnectionState) => void,
    silence: number,
  ) {
    const url = new URL(path, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    this.#url = url.href;
    this.#received = received;
    this.#changed = changed;
    this.#silence = silence;
    window.addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#hurry();
    });
    this.#open();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Sends a small message if the connection is open, else drops it. */
  send(message: object): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #open(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    const socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => {
      if (data instanceof ArrayBuffer) this.#take(data);
    });
    socket.addEventListener("close", () => this.#lose(socket));
    this.#socket = socket;
    this.#listen();
  }

  #take(data: ArrayBuffer): void {
    this.#listen();
    this.#failures = 0;
    if (this.#state !== "live") this.#become("live");
    this.#received(fromBinary(StageFrameSchema, new Uint8Array(data)));
  }

  /** Starts the wait for the next message anew. */
  #listen(): void {
    clearTimeout(this.#watch);
    const socket = this.#socket;
    this.#watch = setTimeout(() => {
      socket?.close();
      this.#lose(socket);
    }, this.#silence);
  }

  #lose(socket: WebSocket | undefined): void {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    clearTimeout(this.#watch);
    this.#become("lost");
    this.#retry = setTimeout(() => this.#open(), retryDelay(this.#failures, Math.random()));
    this.#failures += 1;
  }

  /** The network or the person is back: does not sit out the wait. */
  #hurry(): void {
    if (this.#retry !== undefined) this.#open();
  }

  #become(state: ConnectionState): void {
    this.#state = state;
    this.#changed(state);
  }
}
