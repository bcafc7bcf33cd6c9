// What pages with pictures run beside the office script: the drawing, and the pricing workbench where its form is.
import { pictures } from "./drawing.mjs";
import "./pricing.mjs";

pictures();
