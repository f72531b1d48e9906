/**
 * Bytes that the gateway keeps for its clients, admitted before they are used: bodies that arrive or run, and answers that
 * slow readers have not taken. Pure; whoever reserves also releases.
 */
export interface BytesOwner {
  readonly apiKeyId: string;
  readonly organizationId: string;
}

export interface BytesLimits {
  /** Of everybody. What is large may use only part of it, so that small requests find room whatever large ones do. */
  readonly all: number;
  readonly perOrganization: number;
  readonly perKey: number;
}

/** Whose share is used up. */
export type BytesShortage = 'key' | 'organization' | 'all';

export interface BytesMeter {
  /** Null where the bytes are reserved; otherwise nothing is, and the answer says whose share lacks them. */
  reserve(owner: BytesOwner, bytes: number): BytesShortage | null;
  release(owner: BytesOwner, bytes: number): void;
  readonly inFlight: number;
  /** The most that was ever in flight. */
  readonly inFlightMax: number;
}

/** A reservation above this is large. */
const smallMax = 64 * 1024;
/** The share that large reservations leave to small ones. */
const shareOfSmall = 0.25;

/** Counts by name; a name without bytes takes no memory. */
const createShares = (max: number) => {
  const bytesOf = new Map<string, number>();
  return {
    hasRoom: (name: string, bytes: number): boolean => (bytesOf.get(name) ?? 0) + bytes <= max,
    add: (name: string, bytes: number): void => {
      const sum = (bytesOf.get(name) ?? 0) + bytes;
      if (sum > 0) bytesOf.set(name, sum);
      else bytesOf.delete(name);
    },
  };
};

export const createBytesMeter = ({ all, perOrganization, perKey }: BytesLimits): BytesMeter => {
  const keys = createShares(perKey);
  const organizations = createShares(perOrganization);
  let inFlight = 0;
  let inFlightMax = 0;
  return {
    reserve: ({ apiKeyId, organizationId }, bytes) => {
      if (inFlight + bytes > (bytes > smallMax ? all * (1 - shareOfSmall) : all)) return 'all';
      if (!keys.hasRoom(apiKeyId, bytes)) return 'key';
      if (!organizations.hasRoom(organizationId, bytes)) return 'organization';
      keys.add(apiKeyId, bytes);
      organizations.add(organizationId, bytes);
      inFlight += bytes;
      if (inFlight > inFlightMax) inFlightMax = inFlight;
      return null;
    },
    release: ({ apiKeyId, organizationId }, bytes) => {
      keys.add(apiKeyId, -bytes);
      organizations.add(organizationId, -bytes);
      inFlight -= bytes;
    },
    get inFlight() {
      return inFlight;
    },
    get inFlightMax() {
      return inFlightMax;
    },
  };
};
