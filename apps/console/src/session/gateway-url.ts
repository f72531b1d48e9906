/** The address that SDKs are given, as the api wrote it into the page. A page that comes from Vite itself has the address of `npm start`. */
export const readGatewayUrl = (): string => {
  const written = document.querySelector<HTMLMetaElement>('meta[name="kilotoken-gateway"]')?.content ?? '';
  return written.startsWith('http') ? written : 'http://127.0.0.1:8080/v1';
};
