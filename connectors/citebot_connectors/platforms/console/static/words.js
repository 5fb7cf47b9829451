// Words that depend on numbers and times.

export function ago(moment, now = Date.now()) {
  if (!moment) return "never read";
  const seconds = Math.max(0, (now - Date.parse(moment)) / 1000);
  if (seconds < 60) return "read just now";
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= size) return `read ${Math.floor(seconds / size)} ${unit} ago`;
  }
  return "";
}

export function day(moment, month = "long") {
  if (!moment) return "";
  return new Date(moment).toLocaleDateString("en-GB", { day: "numeric", month, year: "numeric" });
}

export const count = (number, one, many) => `${number.toLocaleString("en-GB")} ${number === 1 ? one : many}`;

export const documents = (number) => count(number, "document", "documents");

/** Where a passage stands: title and headings, without repeating itself. */
export const place = (passage) => passage.headings.filter((heading) => heading !== passage.title).join(" › ");

/** "handbook · updated 14 Sept 2026" */
export function facts(passage) {
  return [passage.source, passage.updated ? `updated ${day(passage.updated, "short")}` : ""].filter(Boolean).join(" · ");
}
