/** Where cards, ports and wires lie. Flows are drawn wider than they are stored: our cards say more than an icon. */

export interface Point {
  x: number;
  y: number;
}

export interface Box extends Point {
  width: number;
  height: number;
}

export const SCALE: Point = { x: 1.5, y: 1.25 };
export const GRID: Point = { x: 16, y: 16 };
export const SPACING: Point = { x: 192, y: 96 };
export const CARD_WIDTH = 216;
export const HEAD = 56;
const ROW = 24;
const FOOT = 10;

export function toWorld({ x, y }: Point): Point {
  return { x: x * SCALE.x, y: y * SCALE.y };
}

export function toFlow({ x, y }: Point): Point {
  return { x: Math.round(x / SCALE.x / GRID.x) * GRID.x, y: Math.round(y / SCALE.y / GRID.y) * GRID.y };
}

export function cardHeight(ins: number, outs: number): number {
  const rows = Math.max(ins > 1 ? ins : 0, outs > 1 ? outs : 0);
  return HEAD + (rows ? rows * ROW + FOOT : 0);
}

/** The middle of a port, from the top of its card. */
export function portOffset(index: number, count: number): number {
  return count > 1 ? HEAD + ROW * index + ROW / 2 : HEAD / 2;
}

export function wirePath(from: Point, to: Point): string {
  const reach = Math.max(36, Math.min(160, Math.abs(to.x - from.x) / 2 + (to.x < from.x ? 60 : 0)));
  return `M${from.x} ${from.y}C${from.x + reach} ${from.y} ${to.x - reach} ${to.y} ${to.x} ${to.y}`;
}

export function intersects(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

export function around(boxes: readonly Box[]): Box {
  if (!boxes.length) return { x: 0, y: 0, width: 0, height: 0 };
  const x = Math.min(...boxes.map((box) => box.x));
  const y = Math.min(...boxes.map((box) => box.y));
  return {
    x,
    y,
    width: Math.max(...boxes.map((box) => box.x + box.width)) - x,
    height: Math.max(...boxes.map((box) => box.y + box.height)) - y,
  };
}
