import { runApp } from '@kilotoken/platform';
import { gatewayApp } from './app.js';

await runApp(gatewayApp);
