import { byId } from "../room/dom";
import { say } from "./words";

/** Larger files would not fit a phone's memory anyway. */
const FILE_MAX_MB = 200;

/** Lets a viewer bring a VRM file (chosen or dropped), and take it off again. */
export class Wardrobe {
  readonly #menu = byId("wardrobe", HTMLElement);
  readonly #back = byId("back", HTMLButtonElement);

  /**
   * @param wear gets the bytes of a file
   * @param takeOff puts her own body back
   * @param tell shows a notice
   */
  constructor(wear: (file: ArrayBuffer) => Promise<boolean>, takeOff: () => void, tell: (words: string) => void) {
    const take = async (file: File | undefined) => {
      this.#menu.hidePopover();
      if (!file) return;
      if (file.size > FILE_MAX_MB * 1e6) {
        tell(say("tooLarge", String(FILE_MAX_MB)));
        return;
      }
      tell(say("wearing"));
      if (await wear(await file.arrayBuffer())) this.#back.hidden = false;
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
