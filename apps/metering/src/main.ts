import { runApp } from '@kilotoken/platform/process';
import { meteringApp } from './app.js';

await runApp(meteringApp);
