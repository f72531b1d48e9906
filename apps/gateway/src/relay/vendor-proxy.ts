import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Proxies towards vendors, by the environment variables that every HTTP client knows. Pure. */
export interface ProxySettings {
  /** For vendors at http:// and at https:// addresses; undefined: these are reached directly. */
  readonly http: string | undefined;
  readonly https: string | undefined;
  /** Hosts that are reached directly: names with all below them, addresses, networks, each also with a port; `*` is all. */
  readonly none: string | undefined;
}

interface Exception {
  readonly host: string;
  readonly port: string | null;
}

const defaultPorts: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

const readException = (entry: string): Exception => {
  // An address of version 6 has colons of its own: with a port it stands in brackets.
  const match = /^\[(.+)\]:(\d+)$/.exec(entry) ?? /^([^:]+):(\d+)$/.exec(entry);
  const host = (match?.[1] ?? entry).replace(/^\[|\]$/g, '');
  return { host: host.replace(/^\*?\./, '').toLowerCase(), port: match?.[2] ?? null };
};

const isInNetwork = (address: string, network: string): boolean => {
  if (!ipaddr.isValidCIDR(network)) return false;
  const [base, bits] = ipaddr.parseCIDR(network);
  const parsed = ipaddr.parse(address);
  return parsed.kind() === base.kind() && parsed.match(base, bits);
};

const isLoopback = (host: string): boolean => host === 'localhost' || host.endsWith('.localhost') || (isIP(host) > 0 && ipaddr.process(host).range() === 'loopback');

const matches = (host: string, port: string, exception: Exception): boolean => {
  if (exception.port !== null && exception.port !== port) return false;
  if (exception.host === '*' || exception.host === host) return true;
  return isIP(host) > 0 ? isInNetwork(host, exception.host) : host.endsWith(`.${exception.host}`);
};

/**
 * The proxy of an origin; null where it is reached directly. As in Go, loopback addresses never go through a proxy: our own
 * workers and engines on this machine are no business of it.
 */
export const proxyFor = (origin: string, { http, https, none }: ProxySettings): string | null => {
  const { protocol, hostname, port: given } = new URL(origin);
  const proxy = protocol === 'https:' ? https : http;
  if (proxy === undefined) return null;
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = given === '' ? (defaultPorts[protocol] ?? '') : given;
  if (isLoopback(host)) return null;
  const exceptions = (none ?? '').split(/[,\s]+/).filter((entry) => entry !== '');
  return exceptions.some((entry) => matches(host, port, readException(entry))) ? null : proxy;
};
