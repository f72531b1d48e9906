// node deploy/reconcile.mjs …: `npm run reconcile` in a container, where nothing is to be built first. The database is that of DATABASE_URL.
const { main } = await import('../tools/dist/reconcile/main.js');
process.exitCode = await main(process.cwd());
