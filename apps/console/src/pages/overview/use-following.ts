import { useEffect, useRef, useState } from 'react';

/** Rollups hold a request this long after it settled, at the latest in a healthy installation. */
const FOLLOW_MS = 30_000;
const STEP_MS = 4_000;

interface Known {
  /** When the latest request settled that the page knows. */
  readonly settledAt: string | undefined;
  /** All that was used of the balances, by unit; it tells of a request too that settled before the page listened to requests. */
  readonly used: string | undefined;
}

/** Asks again for figures while they follow a request that has just settled. Returns whether they still may. */
export const useFollowing = ({ settledAt, used }: Known, ask: () => void): boolean => {
  const [isFollowing, setFollowing] = useState(false);
  const before = useRef<string | null>(null);
  useEffect(() => {
    if (used === undefined) return;
    const now = `${settledAt ?? ''} ${used}`;
    const isNews = before.current === null ? settledAt !== undefined && Math.abs(Date.now() - Date.parse(settledAt)) < FOLLOW_MS : before.current !== now;
    before.current = now;
    if (!isNews) return;
    setFollowing(true);
    const end = setTimeout(() => setFollowing(false), FOLLOW_MS);
    return () => clearTimeout(end);
  }, [settledAt, used]);
  useEffect(() => {
    if (!isFollowing) return;
    const step = setInterval(ask, STEP_MS);
    return () => clearInterval(step);
  }, [isFollowing, ask]);
  return isFollowing;
};
