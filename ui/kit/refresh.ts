/** Looking again: every half minute while the page is looked at, and when somebody comes back to it. */

const EVERY_MS = 30_000;

/** Answers what ends it. */
export function refreshed(look: () => void, everyMs = EVERY_MS): () => void {
  const seen = (): void => {
    if (document.visibilityState === 'visible' && navigator.onLine) look();
  };
  const timer = setInterval(seen, everyMs);
  document.addEventListener('visibilitychange', seen);
  return () => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', seen);
  };
}
