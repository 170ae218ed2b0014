import { fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { type RoomStatus, RoomStatusSchema } from "../events/stage_pb";
import { type Decision, DecisionSchema } from "../events/turn_pb";

/** No call may hang longer. */
const TIMEOUT_MS = 10_000;

/** The server answered, but not with what was asked for; `status` 0: it did not answer. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`refused with ${status}`);
    this.status = status;
  }
}

export interface GiftSent {
  readonly gift_id: string;
  readonly name: string;
  readonly count: number;
  /** Of the whole message, in fen (0.01 CNY). */
  readonly value_fen: number;
}

export interface Author {
  readonly id: string;
  readonly name: string;
}

/** What an operator can ask for, as the server reads it. */
export type Action =
  | { action: "stop" }
  | { action: "skip"; event_id?: string; turn_id?: string }
  | { action: "say"; text: string }
  | { action: "mute"; muted: boolean }
  | { action: "panic"; released: boolean }
  | { action: "mode"; mode: "auto" | "approve" | "takeover" }
  | { action: "approve"; event_id: string };

export interface Queue {
  /** Best first. */
  readonly waiting: Decision[];
  /** Newest first. */
  readonly recent: Decision[];
  readonly status: RoomStatus | undefined;
}

/** The server's calls for one page. All of them throw Refused. */
export class Api {
  readonly #token: { readonly value: string };

  constructor(token: { readonly value: string }) {
    this.#token = token;
  }

  /** Says something to her. Returns the event's id, "" when the server does not tell. */
  write(room: string, viewer: Author, text: string): Promise<string> {
    return this.#send(room, { viewer: { ...viewer }, text });
  }

  /** Sends a simulated gift. Returns the event's id, "" when the server does not tell. */
  give(room: string, viewer: Author, gift: GiftSent): Promise<string> {
    return this.#send(room, { viewer: { ...viewer }, gift: { ...gift } });
  }

  /** Returns whether all services have been told; those that have not will be. */
  async control(room: string, action: Action): Promise<boolean> {
    return fields(await this.#call("POST", `${base(room)}/control`, { ...action }))["told"] !== false;
  }

  /** Names of the rooms that are open. */
  async rooms(): Promise<string[]> {
    const rooms = await this.#call("GET", "/rooms");
    return list(rooms).flatMap((room) => {
      const id = fields(room)["room_id"];
      return typeof id === "string" ? [id] : [];
    });
  }

  async queue(room: string): Promise<Queue> {
    const { waiting = null, recent = null, status = null } = fields(await this.#call("GET", `${base(room)}/queue`));
    const known = { ignoreUnknownFields: true };
    return {
      waiting: list(waiting).map((decision) => fromJson(DecisionSchema, decision, known)),
      recent: list(recent).map((decision) => fromJson(DecisionSchema, decision, known)),
      status: status === null ? undefined : fromJson(RoomStatusSchema, status, known),
    };
  }

  async #send(room: string, body: JsonObject): Promise<string> {
    const id = fields(await this.#call("POST", `${base(room)}/messages`, body))["event_id"];
    return typeof id === "string" ? id : "";
  }

  async #call(method: string, path: string, body?: JsonObject): Promise<JsonValue> {
    const headers = new Headers();
    if (this.#token.value) headers.set("Authorization", `Bearer ${this.#token.value}`);
    if (body) headers.set("Content-Type", "application/json");
    try {
      const answer = await fetch(path, {
        method,
        headers,
        body: body ? JSON.stringify(body) : null,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (!answer.ok) throw new Refused(answer.status);
      return (await answer.json()) as JsonValue;
    } catch (reason) {
      throw reason instanceof Refused ? reason : new Refused(0);
    }
  }
}

function base(room: string): string {
  return `/rooms/${encodeURIComponent(room)}`;
}

function list(value: JsonValue): JsonValue[] {
  return Array.isArray(value) ? value : [];
}

function fields(value: JsonValue): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}
