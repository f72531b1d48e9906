/**
 * Which image URLs may be handed to a lane. The gateway never fetches them, but the server behind a lane does, and ours
 * stand on private networks: a URL is refused when it plainly names one. A public name that resolves to a private address,
 * or redirects to one, cannot be seen here: the server that fetches has to refuse that.
 */
const dataUrl = /^data:image\/[\w.+-]{1,64};base64,/i;
const urlLengthMax = 8192;

const localNames = /^(?:localhost|.*\.(?:localhost|local|internal|lan|home|intranet|corp))\.?$/i;

/** Ranges that are not the public Internet, as first address and prefix length (RFC 6890 and its successors). */
const privateRanges: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
];

export const isAllowedImageUrl = (text: string): boolean => {
  if (dataUrl.test(text.slice(0, 100))) return true;
  if (text.length > urlLengthMax || !URL.canParse(text)) return false;
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return false;
  if (url.username !== '' || url.password !== '') return false;
  // The URL parser has turned every spelling of an IPv4 address (hexadecimal, octal, one number) into four decimals.
  const host = url.hostname;
  if (host.startsWith('[')) return isPublicV6(host.slice(1, -1));
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return isPublicV4(addressOf(host));
  return host.replace(/\.$/, '').includes('.') && !localNames.test(host);
};

const addressOf = (host: string): number => host.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

const isPublicV4 = (address: number): boolean =>
  !privateRanges.some(([first, bits]) => Math.floor(address / 2 ** (32 - bits)) === Math.floor(addressOf(first) / 2 ** (32 - bits)));

/** Public is 2000::/3 without documentation (2001:db8, 3fff), Teredo (2001:0) and 6to4 (2002), the latter two wrapping other addresses. */
const isPublicV6 = (host: string): boolean => {
  const [first = '', second = ''] = host.split(':');
  const group = Number.parseInt(first || '0', 16);
  if (group < 0x2000 || group >= 0x3fff || group === 0x2002) return false;
  return group !== 0x2001 || !['', '0', 'db8'].includes(second);
};
