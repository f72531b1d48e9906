import { useEffect, useState } from 'react';

/** Rollups hold a request this long after it settled, at the latest in a healthy installation. */
const FOLLOW_MS = 30_000;
const STEP_MS = 4_000;

/**
 * Asks again for figures while they follow a request that has just settled, of which `newest` is the latest that the page knows. Returns whether they
 * still may.
 */
export const useFollowing = (newest: { readonly id: string; readonly settledAt: string } | undefined, ask: () => void): boolean => {
  const [isFollowing, setFollowing] = useState(false);
  const { id, settledAt } = newest ?? {};
  useEffect(() => {
    if (id === undefined || settledAt === undefined || Math.abs(Date.now() - Date.parse(settledAt)) > FOLLOW_MS) return;
    setFollowing(true);
    const end = setTimeout(() => setFollowing(false), FOLLOW_MS);
    return () => clearTimeout(end);
  }, [id, settledAt]);
  useEffect(() => {
    if (!isFollowing) return;
    const step = setInterval(ask, STEP_MS);
    return () => clearInterval(step);
  }, [isFollowing, ask]);
  return isFollowing;
};
