import { renderToString } from 'react-dom/server';
import { Document } from './Document.jsx';

export const html = () => '<!doctype html>' + renderToString(<Document />);
