import { runApp } from '@kilotoken/platform';
import { apiApp } from './app.js';

await runApp(apiApp);
