import { runApp } from '@kilotoken/platform/process';
import { gatewayApp } from './app.js';

await runApp(gatewayApp);
