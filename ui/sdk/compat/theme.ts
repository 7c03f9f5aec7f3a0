/** Appmixer's names of colours, fonts and corners as ours; what lies upon a colour stays readable. */
import type { Theme } from '../headrace.ts';

type Names = Readonly<Record<string, readonly string[]>>;

const COLOURS: Names = {
  primary: ['primary', 'primaryStrong'], onPrimary: ['onPrimary'], secondary: ['primarySoft'], onSecondary: [],
  surface: ['surface', 'raised', 'iconBack'], surfaceLow: ['low', 'canvas'], surfaceLowest: ['canvas'], surfaceHigh: ['raised'],
  neutral: ['text'], onSurface: ['text'], neutralLow: ['dim'], separator: ['line'], separatorStrong: ['strongLine'], focus: ['focus'],
  success: ['success'], error: ['error'], warning: ['warning'], highlighter: ['wire'], modifier: ['chip'],
};
const REST: Readonly<Record<string, Names>> = {
  font: { family: ['font'], familyMono: ['mono'] },
  corners: { radius: ['radius'], radiusMedium: ['radius'] },
  shadows: { card: ['shadow'], popover: ['float'], backdrop: ['float'] },
  dividers: { regular: ['line'] },
};

/** A theme as Appmixer takes it, as ours. Names of ours go through as they are. */
export function themeOf(given: unknown): Theme | undefined {
  if (!given || typeof given !== 'object') return undefined;
  const { mode, variables = {} } = given as { mode?: Theme['mode']; variables?: Record<string, Record<string, unknown>> };
  const colors: Record<string, string> = {};
  const put = (names: Names, group: Record<string, unknown> = {}, isOpen = false): void => {
    for (const [name, value] of Object.entries(group ?? {})) {
      if (typeof value !== 'string' && typeof value !== 'number') continue;
      for (const ours of Object.hasOwn(names, name) ? names[name]! : isOpen ? [name] : []) colors[ours] = String(value);
    }
  };
  put(COLOURS, variables['colors'], true);
  for (const [group, names] of Object.entries(REST)) put(names, variables[group]);
  if (colors['primary'] && !colors['onPrimary']) {
    const upon = readableUpon(colors['primary']);
    if (upon) colors['onPrimary'] = upon;
  }
  return { ...(mode ? { mode } : {}), ...(Object.keys(colors).length ? { variables: { colors } } : {}) };
}

/** Black or white, whichever is read better upon the colour; nothing where it is written in a way that is not read here. */
export function readableUpon(colour: string): string | undefined {
  const light = lightness(colour);
  return light === undefined ? undefined : (light + 0.05) / 0.05 > 1.05 / (light + 0.05) ? '#000000' : '#ffffff';
}

/** The relative luminance of a colour in hexadecimal or as rgb(). */
export function lightness(colour: string): number | undefined {
  const text = colour.trim().toLowerCase();
  const short = /^#([\da-f])([\da-f])([\da-f])[\da-f]?$/.exec(text);
  const long = /^#([\da-f]{2})([\da-f]{2})([\da-f]{2})(?:[\da-f]{2})?$/.exec(text);
  const spoken = /^rgba?\(\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)/.exec(text);
  const parts = short ? short.slice(1, 4).map((each) => parseInt(each + each, 16)) : long ? long.slice(1, 4).map((each) => parseInt(each, 16)) : spoken?.slice(1, 4).map(Number);
  if (!parts) return undefined;
  const [r, g, b] = parts.map((each) => (each / 255 <= 0.04045 ? each / 255 / 12.92 : ((each / 255 + 0.055) / 1.055) ** 2.4)) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
