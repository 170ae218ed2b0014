/** How much of the short side of the picture the label's letters must be high (GB 45438-2025). */
export const LEAST_SHARE = 0.05;
/** Chinese letters fill about so much of their font size. */
const FILLED = 0.9;

/** The AI label as it stands in the page. Sizes in CSS pixels. */
export interface Standing {
  readonly text: string;
  /** Neither hidden nor see-through. */
  readonly visible: boolean;
  readonly letters: number;
  readonly box: { readonly left: number; readonly top: number; readonly right: number; readonly bottom: number };
  readonly window: { readonly width: number; readonly height: number };
}

/** Whether who looks at the page sees the label as the rules ask. What covers the window from outside is not seen. */
export function shown({ text, visible, letters, box, window }: Standing): boolean {
  const inside = box.left >= 0 && box.top >= 0 && box.right <= window.width && box.bottom <= window.height;
  const large = letters >= LEAST_SHARE * Math.min(window.width, window.height);
  return text.trim() !== "" && visible && inside && large;
}

/** How the label stands in the page at this moment. */
export function standing(label: HTMLElement): Standing {
  return {
    text: label.textContent,
    visible: label.checkVisibility({ opacityProperty: true, visibilityProperty: true }),
    letters: FILLED * Number.parseFloat(getComputedStyle(label).fontSize),
    box: label.getBoundingClientRect(),
    window: { width: innerWidth, height: innerHeight },
  };
}
