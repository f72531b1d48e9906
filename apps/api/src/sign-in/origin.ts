/** Whether a request that changes something comes from a page of ours, or from no page at all. */
export const comesFromElsewhere = (headers: { readonly origin?: string | undefined; readonly fetchSite?: string | undefined }, origins: readonly string[]): boolean => {
  if (headers.origin !== undefined) return !origins.includes(headers.origin);
  // Browsers that send no Origin still say where a request comes from; programs send neither.
  return headers.fetchSite !== undefined && headers.fetchSite !== 'same-origin' && headers.fetchSite !== 'none';
};
