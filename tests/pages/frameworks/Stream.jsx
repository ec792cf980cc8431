import { lazy, Suspense } from 'react';
import { App } from './App.jsx';

// A page whose lower part comes later: on the server as a stream, in the browser as a module.
export function streamed(reviews) {
  const Reviews = lazy(() => reviews.then((component) => ({ default: component })));
  return function Page() {
    return (
      <>
        <App />
        <Suspense fallback={<p>Отзывы загружаются, звоните 8 495 000-00-00</p>}>
          <Reviews />
        </Suspense>
      </>
    );
  };
}

export function Reviews() {
  return <p>Отзыв: звонил на {'8 495 000-00-00'}, ответили</p>;
}
