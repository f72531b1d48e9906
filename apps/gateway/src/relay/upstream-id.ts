const upstreamIdLengthMax = 128;

/** A vendor's id of its answer as it is stored: printable ASCII. Null where the vendor gave none. */
export const readUpstreamId = (id: unknown): string | null => (typeof id === 'string' ? id.slice(0, upstreamIdLengthMax).replace(/[^\x21-\x7e]/g, '') || null : null);
