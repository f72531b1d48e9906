// node deploy/healthcheck.mjs PORT: whether the process of this container lives. Ends with 0 or 1, as Docker wants it.
const answer = await fetch(`http://127.0.0.1:${process.argv[2]}/healthz`, { signal: AbortSignal.timeout(4_000) }).catch(() => null);
process.exit(answer?.status === 200 ? 0 : 1);
