// What the browser does for a page of tiles: address, exports, labels and keys. It asks nothing of any other machine.

const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "opacity",
  "font-family", "font-size", "font-weight", "text-anchor", "dominant-baseline", "display", "visibility"]

// A page of its own has an address of its own; in a notebook the address is the notebook's.
const OWN = document.body.dataset.voila === "voila"

function read() {
  const known = {}
  for (const [name, value] of new URLSearchParams(location.search)) known[name] = value
  return known
}

function write(query) {
  const address = new URL(location.href)
  address.search = new URLSearchParams(query).toString()
  history.replaceState(null, "", address)
}

function saved(name, kind, body) {
  const link = document.createElement("a")
  link.href = URL.createObjectURL(new Blob([body], { type: kind }))
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10000)
}

function drawn(svg) {
  const copy = svg.cloneNode(true), box = svg.getBoundingClientRect()
  const from = svg.querySelectorAll("*"), to = copy.querySelectorAll("*")
  from.forEach((part, place) => {
    const style = getComputedStyle(part)
    for (const name of STYLES) to[place].style.setProperty(name, style.getPropertyValue(name))
  })
  const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect")
  paper.setAttribute("width", "100%")
  paper.setAttribute("height", "100%")
  paper.setAttribute("fill", getComputedStyle(svg.closest(".wb-tile")).backgroundColor)
  copy.prepend(paper)
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg")
  copy.setAttribute("width", box.width)
  copy.setAttribute("height", box.height)
  copy.style.filter = "none"
  return [new XMLSerializer().serializeToString(copy), box]
}

function picture(svg, name) {
  const [text, box] = drawn(svg), image = new Image(), scale = 2
  image.onload = () => {
    const canvas = document.createElement("canvas")
    canvas.width = box.width * scale
    canvas.height = box.height * scale
    const pen = canvas.getContext("2d")
    pen.scale(scale, scale)
    pen.drawImage(image, 0, 0)
    canvas.toBlob(blob => saved(name, "image/png", blob), "image/png")
  }
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(text)
}

function button(words, label, act) {
  const made = document.createElement("button")
  made.type = "button"
  made.textContent = words
  made.setAttribute("aria-label", label)
  made.addEventListener("click", act)
  return made
}

function named(tile) {
  return [...tile.classList].find(name => name.startsWith("wb-t-"))?.slice(5)
}

function tools(tile, model) {
  const name = named(tile), svg = () => tile.querySelector(".bqplot svg.svg-figure")
  if (!name || tile.classList.contains("wb-card")) return
  let bar = tile.querySelector(":scope > .wb-tools")
  const wanted = svg() ? "SVG PNG CSV" : tile.querySelector("table") ? "CSV" : ""
  if (bar?.dataset.wanted === wanted) return
  bar?.remove()
  if (!wanted) return
  bar = document.createElement("div")
  bar.className = "wb-tools"
  bar.dataset.wanted = wanted
  const told = `Save ${name.replaceAll("-", " ")} as `
  if (svg()) {
    bar.append(button("SVG", told + "SVG", () => saved(name + ".svg", "image/svg+xml", drawn(svg())[0])))
    bar.append(button("PNG", told + "PNG", () => picture(svg(), name + ".png")))
  }
  bar.append(button("CSV", told + "CSV", () => model.send({ csv: name })))
  tile.append(bar)
}

function readable(tile, labels) {
  const label = labels[named(tile)]
  for (const svg of tile.querySelectorAll(".bqplot svg.svg-figure, .bqplot svg.svg-background")) {
    const shown = svg.classList.contains("svg-figure")
    if (shown && label) {
      if (svg.getAttribute("aria-label") === label) continue
      svg.setAttribute("role", "img")
      svg.setAttribute("aria-label", label)
    } else if (svg.getAttribute("aria-hidden") !== "true") svg.setAttribute("aria-hidden", "true")
  }
}

// Cells that say who is behind them can be reached and pressed by keys.
function keys(tile) {
  for (const cell of tile.querySelectorAll("rect.heatmapcell:not([tabindex])")) {
    cell.setAttribute("tabindex", "0")
    cell.addEventListener("keydown", event => {
      if (event.key !== "Enter" && event.key !== " ") return
      event.preventDefault()
      cell.dispatchEvent(new MouseEvent("click", { bubbles: true }))
    })
  }
}

// Code that is shown is there to be taken along.
function copies(page) {
  for (const code of page.querySelectorAll(".wb-code pre")) {
    if (code.querySelector("button")) continue
    const words = code.textContent
    const made = button("Copy", "Copy the code", async () => {
      await navigator.clipboard.writeText(words)
      made.textContent = "Copied"
      setTimeout(() => { made.textContent = "Copy" }, 2000)
    })
    code.append(made)
  }
}

function render({ model, el }) {
  let waiting = false
  const look = () => {
    waiting = false
    const page = el.closest(".wb-page")
    if (!page) return
    for (const tile of page.querySelectorAll(".wb-card, .wb-tile")) {
      tools(tile, model)
      readable(tile, model.get("labels"))
      if (tile.classList.contains("wb-drill")) keys(tile)
    }
    copies(page)
  }
  const soon = () => {
    if (waiting) return
    waiting = true
    setTimeout(look, 150)
  }
  const watch = new MutationObserver(soon)
  watch.observe(document.body, { childList: true, subtree: true })
  model.on("change:labels", soon)
  model.on("msg:custom", said => {
    if (typeof said.csv === "string") saved(said.tile + ".csv", "text/csv;charset=utf-8", said.csv)
  })
  if (OWN) {
    const asked = read()
    if (Object.keys(asked).length) {
      model.set("query", asked)
      model.save_changes()
    }
    model.on("change:query", () => write(model.get("query")))
  }
  const phone = matchMedia("(max-width: 600px)")
  const sized = () => {
    if (model.get("narrow") === phone.matches) return
    model.set("narrow", phone.matches)
    model.save_changes()
  }
  phone.addEventListener("change", sized)
  sized()
  soon()
  return () => {
    watch.disconnect()
    phone.removeEventListener("change", sized)
  }
}

export default { render }
