/** Themes of hosts as custom properties of a widget's element. */

export interface Theme {
  mode?: 'light' | 'dark' | 'auto';
  variables?: {
    colors?: Readonly<Record<string, string>>;
    font?: Readonly<Record<string, string | number>>;
    shadows?: Readonly<Record<string, string>>;
    corners?: Readonly<Record<string, string>>;
  };
}

/** Names of Appmixer's themes for what has another name here. */
const COLOURS: Readonly<Record<string, string>> = { neutral: 'text', surfaceLow: 'low', separator: 'line', highlighter: 'primary-soft' };
const OTHERS: Readonly<Record<string, string>> = { family: 'font', familyMono: 'mono', radius: 'radius', radiusMedium: 'radius', popover: 'float', backdrop: 'backdrop' };

/** The custom properties of a theme. Colours on and around the primary one are computed where they are not given. */
export function properties(theme: Theme, isDark: boolean): Record<string, string> {
  const { colors = {}, font = {}, shadows = {}, corners = {} } = theme.variables ?? {};
  const found: Record<string, string> = {};
  const primary = colors['primary'];
  if (primary) {
    found['--hr-primary-strong'] = `color-mix(in oklab, ${primary} 82%, ${isDark ? 'white' : 'black'})`;
    found['--hr-primary-soft'] = `color-mix(in oklab, ${primary} ${isDark ? 26 : 14}%, var(--hr-surface))`;
    found['--hr-on-primary'] = readable(primary);
  }
  for (const [name, value] of Object.entries(colors)) found[`--hr-${COLOURS[name] ?? dashed(name)}`] = value;
  for (const [name, value] of Object.entries({ ...font, ...shadows, ...corners })) found[`--hr-${OTHERS[name] ?? dashed(name)}`] = String(value);
  return found;
}

/** Black or white, whichever is read better on a colour. */
export function readable(colour: string): string {
  const context = document.createElement('canvas').getContext('2d');
  if (!context) return '#ffffff';
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [red = 0, green = 0, blue = 0] = context.getImageData(0, 0, 1, 1).data;
  const part = (value: number): number => (value <= 10 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
  return 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 ? '#ffffff' : '#000000';
}

function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
