import ipaddr from 'ipaddr.js';

/**
 * Which addresses a customer may have called: those of images, files and webhooks. Everything here judges what the URL standard's
 * parser made of a text, and callers pass on that parser's serialisation, never the text: other parsers read `http://a.com\@127.0.0.1/`
 * as another host.
 *
 * A public name that resolves to a private address, or redirects to one, cannot be seen here. Who connects has to look again, as the
 * webhook guard does.
 */

/** Public by its range, yet answered by the cloud's own host: Azure's wire server. */
const metadataAddresses: ReadonlySet<string> = new Set(['168.63.129.16']);

/**
 * Whether an address is one for everybody. Everything with a meaning of its own (loopback, private, link-local and with it the metadata
 * services of clouds, multicast, carriers' NAT, documentation, …) is not, nor is an IPv4 address in the clothes of an IPv6 one. Ranges
 * are those of IANA's special-purpose registries.
 */
export const isPublicAddress = (address: string): boolean => {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  if (parsed.kind() === 'ipv4') return !metadataAddresses.has(parsed.toString());
  // The library takes addresses outside global unicast (RFC 4291 §2.4) for unicast.
  return ipaddr.IPv6.parse('2000::').match(parsed as ipaddr.IPv6, 3);
};

/** Every form of an address begins with a digit or has a colon. */
const mayBeAddress = /^\d|:/;

/** The address in a URL's host, without its brackets; null for a name. */
export const addressInHost = (hostname: string): string | null => {
  const bare = hostname.startsWith('[') && hostname.endsWith(']') ? hostname.slice(1, -1) : hostname;
  // Asked of a name, the library throws and catches an error, which takes longer than all the rest.
  return mayBeAddress.test(bare) && ipaddr.isValid(bare) ? bare : null;
};

/** Last labels that no public name has: RFC 6762 and 6761, ICANN's reserved ones, and those of clusters and service meshes. */
const insideDomains: ReadonlySet<string> = new Set([
  'localhost', 'localdomain', 'local', 'internal', 'intranet', 'lan', 'home', 'corp', 'private', 'invalid', 'onion',
  'svc', 'default', 'kube-system', 'cluster', 'consul', 'docker', 'mesh',
]);

/** Public names of things inside: metadata services, and names whose addresses are the asker's own or written in the name. */
const insideNames = [
  'home.arpa', 'metadata.goog', 'metadata.tencentyun.com', 'metadata.packet.net', 'metadata.platformequinix.com', 'api.metadata.cloud.ibm.com',
  'nip.io', 'sslip.io', 'xip.io', 'localtest.me', 'lvh.me', 'vcap.me', 'lacolhost.com', 'traefik.me',
];

/** Whether a URL's host that is no address can be a name on the public Internet. */
export const isPublicName = (hostname: string): boolean => {
  const name = hostname.toLowerCase().replace(/\.$/, '');
  const labels = name.split('.');
  // A single label is completed by the search list of whoever resolves it.
  if (labels.length < 2 || labels.includes('')) return false;
  if (insideDomains.has(labels.at(-1)!)) return false;
  return !insideNames.some((inside) => name === inside || name.endsWith(`.${inside}`));
};

export const isPublicHost = (hostname: string): boolean => {
  const address = addressInHost(hostname);
  return address === null ? isPublicName(hostname) : isPublicAddress(address);
};

const urlLengthMax = 8192;
/** Services below it speak other protocols than HTTP. */
const portMin = 1024;

/** Not `URL.canParse`: optimized code of Node 20 takes Latin-1 for UTF-8 there and refuses `http://bücher.example`. */
export const readUrl = (text: string): URL | null => {
  try {
    return new URL(text);
  } catch {
    // A text that is no URL is the one thing that the constructor throws for.
    return null;
  }
};

/** An http(s) URL to a public host in the parser's own serialisation; null for any other text. */
export const parsePublicUrl = (text: string): string | null => {
  const url = text.length > urlLengthMax ? null : readUrl(text);
  if (!url) return null;
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return null;
  if (url.username !== '' || url.password !== '') return null;
  if (url.port !== '' && url.port !== '80' && url.port !== '443' && Number(url.port) < portMin) return null;
  if (!isPublicHost(url.hostname)) return null;
  url.hash = '';
  return url.href.length > urlLengthMax ? null : url.href;
};
