import { type Api, type Author, type GiftSent, Refused } from "../room/api";
import { yuan } from "../room/decisions";
import { byId, el, icon } from "../room/dom";
import { say, type Word } from "./words";

const VIEWER_KEY = "lydia.viewer";
const NAME_KEY = "lydia.name";

/** Simulated gifts; the value is of one, in fen. */
const GIFTS = [
  { id: "heart", value: 10 },
  { id: "pill", value: 1000 },
  { id: "starship", value: 8800 },
] as const satisfies readonly { id: Word; value: number }[];

const REFUSALS: Readonly<Record<number, Word>> = {
  0: "refused0",
  401: "refused401",
  413: "refused413",
  429: "refused429",
};

/** The box to write to her, and the buttons with simulated gifts. */
export class Writer {
  readonly #api: Api;
  readonly #room: string;
  readonly #sent: (eventId: string, name: string, words: string) => void;
  readonly #tell: (words: string) => void;
  readonly #name = byId("name", HTMLInputElement);
  readonly #text = byId("text", HTMLInputElement);
  readonly #viewer: string;

  /**
   * @param sent told of what the server has accepted
   * @param tell shows a notice
   */
  constructor(
    api: Api,
    room: string,
    sent: (eventId: string, name: string, words: string) => void,
    tell: (words: string) => void,
  ) {
    this.#api = api;
    this.#room = room;
    this.#sent = sent;
    this.#tell = tell;
    this.#viewer = localStorage.getItem(VIEWER_KEY) ?? randomId();
    localStorage.setItem(VIEWER_KEY, this.#viewer);
    this.#name.value = localStorage.getItem(NAME_KEY) ?? "";
    this.#name.placeholder = this.#author().name;
    byId("writer", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#write();
    });
    byId("gifts", HTMLElement).append(...GIFTS.map(({ id, value }) => this.#giftButton(id, value)));
  }

  #author(): Author {
    const name = this.#name.value.trim() || say("visitor", this.#viewer.slice(0, 4));
    return { id: this.#viewer, name };
  }

  async #write(): Promise<void> {
    const text = this.#text.value.trim();
    if (text === "") return;
    this.#text.value = "";
    const author = this.#author();
    localStorage.setItem(NAME_KEY, this.#name.value.trim());
    const delivered = await this.#deliver(author, text, this.#api.write(this.#room, author, text));
    // What was not delivered is given back, unless something new has been written meanwhile.
    if (!delivered && this.#text.value === "") this.#text.value = text;
  }

  async #deliver(author: Author, words: string, call: Promise<string>): Promise<boolean> {
    try {
      this.#sent(await call, author.name, words);
      return true;
    } catch (reason) {
      if (!(reason instanceof Refused)) throw reason;
      this.#tell(say(REFUSALS[reason.status] ?? "refused", String(reason.status)));
      return false;
    }
  }

  #giftButton(id: (typeof GIFTS)[number]["id"], value: number): HTMLButtonElement {
    const made = el(
      "button",
      "gift",
      icon(id),
      el("span", "", say(id)),
      el("small", "", say("simulated", yuan(value))),
    );
    made.type = "button";
    made.title = say("simulatedHint");
    made.setAttribute("aria-label", say("give", say(id), yuan(value)));
    made.addEventListener("click", () => {
      const author = this.#author();
      const gift: GiftSent = { gift_id: id, name: say(id), count: 1, value_fen: value };
      void this.#deliver(author, say(id), this.#api.give(this.#room, author, gift));
    });
    return made;
  }
}

/** 16 random hexadecimal digits; `randomUUID` is missing where the page does not come over https. */
function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
