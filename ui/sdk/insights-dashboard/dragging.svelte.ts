/** A card that somebody drags to the place of another, by mouse, pen or finger. */

const FROM_PX = 6;
const EDGE_PX = 70;
const STEP_PX = 14;

export class Dragging {
  /** What is dragged, and the card that it is over. */
  held = $state('');
  over = $state('');
  readonly #move: (held: string, over: string) => void;
  #begun: { id: string; x: number; y: number } | undefined;

  constructor(move: (held: string, over: string) => void) {
    this.#move = move;
  }

  /** A finger scrolls, but on the handle. */
  begin(event: PointerEvent, id: string): void {
    const isHandle = (event.target as Element).closest('.grip') !== null;
    if (event.button || !event.isPrimary || (event.pointerType === 'touch' && !isHandle) || (event.target as Element).closest('.menu')) return;
    this.#begun = { id, x: event.clientX, y: event.clientY };
  }

  move(event: PointerEvent & { currentTarget: Element }): void {
    const begun = this.#begun;
    if (!begun) return;
    if (!this.held) {
      if (Math.hypot(event.clientX - begun.x, event.clientY - begun.y) < FROM_PX) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      this.held = begun.id;
    }
    event.preventDefault();
    const { currentTarget: card } = event;
    const found = (card.getRootNode() as ShadowRoot).elementFromPoint(event.clientX, event.clientY);
    this.over = found?.closest<HTMLElement>('[data-chart]')?.dataset['chart'] ?? '';
    const list = card.closest('.dashboard');
    const box = list?.getBoundingClientRect();
    if (list && box && event.clientY < box.top + EDGE_PX) list.scrollTop -= STEP_PX;
    else if (list && box && event.clientY > box.bottom - EDGE_PX) list.scrollTop += STEP_PX;
  }

  end(): void {
    const { held, over } = this;
    this.cancel();
    if (held && over && held !== over) this.#move(held, over);
  }

  cancel(): void {
    this.#begun = undefined;
    this.held = this.over = '';
  }
}
