/** Dates, numbers and sizes as a language says them. */

const DAY_MS = 86_400_000;
const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [['day', DAY_MS], ['hour', 3_600_000], ['minute', 60_000], ['second', 1000]];
const SIZES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
const made = new Map<string, ReturnType<typeof make>>();

export function formats(lang: string): ReturnType<typeof make> {
  const known = made.get(lang) ?? make(lang);
  made.set(lang, known);
  return known;
}

function make(lang: string) {
  const full = new Intl.DateTimeFormat(lang, { dateStyle: 'medium', timeStyle: 'short' });
  const day = new Intl.DateTimeFormat(lang, { dateStyle: 'medium' });
  const relative = new Intl.RelativeTimeFormat(lang, { numeric: 'auto', style: 'short' });
  const plain = new Intl.NumberFormat(lang);
  const parsed = (time: string | number | Date): Date | undefined => {
    const found = new Date(time);
    return Number.isNaN(found.getTime()) ? undefined : found;
  };
  return {
    /** A moment in full; nothing for what is none. */
    moment: (time: string | number | Date): string => (parsed(time) ? full.format(parsed(time)) : ''),
    /** How long ago, or the day when it is longer than a week. */
    ago: (time: string | number | Date, now = Date.now()): string => {
      const found = parsed(time);
      if (!found) return '';
      const distance = found.getTime() - now;
      if (Math.abs(distance) > 7 * DAY_MS) return day.format(found);
      const [unit, ms] = UNITS.find(([, each]) => Math.abs(distance) >= each) ?? ['second', 1000];
      return relative.format(Math.round(distance / ms), unit);
    },
    number: (value: number): string => plain.format(value),
    /** A size that is given in bytes. */
    size: (bytes: number): string => {
      const power = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), SIZES.length - 1);
      return new Intl.NumberFormat(lang, { style: 'unit', unit: SIZES[power] as string, unitDisplay: power ? 'short' : 'long', maximumFractionDigits: power ? 1 : 0 }).format(bytes / 1000 ** power);
    },
    /** How long something took, given in milliseconds. */
    span: (ms: number): string => {
      const [unit, each] = [...UNITS].find(([, size]) => ms >= size) ?? ['millisecond', 1];
      return new Intl.NumberFormat(lang, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: each === 1 ? 0 : 1 }).format(ms / each);
    },
  };
}
