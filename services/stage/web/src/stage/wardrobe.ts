import { byId } from "../room/dom";
import type { Lack } from "./face";
import { FILE_MAX_MB, Refused } from "./vrm_file";
import { say } from "./words";

/** What is said of a body that was put on. */
function worn(missing: readonly Lack[]): string {
  if (missing.length === 0) return say("wornWhole");
  return say("wornWithout", missing.map((lack) => say(lack)).join(say("and")));
}

/** Why a file is not worn, for people. */
export function refusal(reason: unknown): string {
  return reason instanceof Refused ? say(reason.why, reason.detail) : say("broken", String(reason));
}

/** Lets a viewer bring a VRM file (chosen or dropped), and take it off again. */
export class Wardrobe {
  readonly #menu = byId("wardrobe", HTMLElement);
  readonly #back = byId("back", HTMLButtonElement);

  /**
   * @param wear puts on the bytes of a file and tells what it lacks, or throws Refused
   * @param takeOff puts her own body back
   * @param tell shows a notice
   */
  constructor(
    wear: (file: ArrayBuffer) => Promise<readonly Lack[]>,
    takeOff: () => void,
    tell: (words: string) => void,
  ) {
    const take = async (file: File | undefined) => {
      this.#menu.hidePopover();
      if (!file) return;
      tell(say("wearing"));
      try {
        // Before it is read: a file may be larger than the memory.
        if (file.size > FILE_MAX_MB * 1e6) throw new Refused("tooLarge", String(FILE_MAX_MB));
        tell(worn(await wear(await file.arrayBuffer())));
        this.#back.hidden = false;
      } catch (reason) {
        tell(refusal(reason));
      }
    };
    const input = byId("file", HTMLInputElement);
    byId("choose", HTMLButtonElement).addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      void take(input.files?.[0]);
      input.value = "";
    });
    this.#back.hidden = true;
    this.#back.addEventListener("click", () => {
      this.#menu.hidePopover();
      this.#back.hidden = true;
      takeOff();
    });
    this.#acceptDrops(take);
  }

  #acceptDrops(take: (file: File | undefined) => Promise<void>): void {
    const over = (shown: boolean) => document.body.classList.toggle("dropping", shown);
    document.addEventListener("dragover", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      over(true);
    });
    document.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) over(false);
    });
    document.addEventListener("drop", (event) => {
      over(false);
      if (!event.dataTransfer?.files.length) return;
      event.preventDefault();
      void take(event.dataTransfer.files[0]);
    });
  }
}
