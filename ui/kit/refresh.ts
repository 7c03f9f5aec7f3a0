/** Looking again: every half minute while the page is looked at, and when somebody comes back to it. */

const EVERY_MS = 30_000;

/** Answers what ends it. While `isNeeded` says no, only who comes back makes it look. */
export function refreshed(look: () => void, everyMs = EVERY_MS, isNeeded: () => boolean = () => true): () => void {
  const isSeen = (): boolean => document.visibilityState === 'visible' && navigator.onLine;
  const seen = (): void => {
    if (isSeen()) look();
  };
  const timer = setInterval(() => { if (isNeeded()) seen(); }, everyMs);
  document.addEventListener('visibilitychange', seen);
  return () => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', seen);
  };
}
